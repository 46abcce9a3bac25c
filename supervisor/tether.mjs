// Loaded into each process that the supervisor starts, before its own code: its standard input is a pipe that the supervisor never
// writes to, so its end means that the supervisor is gone, however it died. The process then ends itself as on SIGTERM; orphans
// would hold ports and the data folder against the next start.
import cluster from 'node:cluster';

const PATIENCE_MS = 4000;
const LOOK_MS = 200;
const parent = process.ppid;

// The embedded ClickHouse reads descriptor 0 with each insert, and under load its pipe is told to be over while the supervisor lives
// (seen with eight senders, Node 20): so the end of the pipe is believed only once the parent is another one.
function leaveIfAlone() {
  if (process.ppid !== parent) leave();
  else setTimeout(leaveIfAlone, LOOK_MS).unref();
}

function leave() {
  setTimeout(() => process.exit(1), PATIENCE_MS).unref();
  process.kill(process.pid, 'SIGTERM');
}

// Workers of a cluster inherit the pipe but end with their primary.
if (cluster.isPrimary) {
  process.stdin.once('close', leaveIfAlone).resume();
  // The pipe alone keeps no process alive.
  if ('unref' in process.stdin) process.stdin.unref();
}
