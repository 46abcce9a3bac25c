// Loaded into each process that the supervisor starts, before its own code: its standard input is a pipe that the supervisor never
// writes to, so its end means that the supervisor is gone, however it died. The process then ends itself as on SIGTERM; orphans
// would hold ports and the data folder against the next start.
import cluster from 'node:cluster';

const PATIENCE_MS = 4000;

function leave() {
  setTimeout(() => process.exit(1), PATIENCE_MS).unref();
  process.kill(process.pid, 'SIGTERM');
}

// Workers of a cluster inherit the pipe but end with their primary.
if (cluster.isPrimary) {
  process.stdin.once('close', leave).resume();
  // The pipe alone keeps no process alive.
  if ('unref' in process.stdin) process.stdin.unref();
}
