// Makes a fresh clone ready: checks Node, installs the packages, builds, finds or installs a Redis. Runs before `npm start` and
// `npm test`, so it needs nothing but Node. This file itself must parse on an old Node to be able to say that it is too old:
// everything newer is behind the import at the end.

const OLDEST = { major: 20, minor: 19 };

function isTooOld() {
  const version = process.versions.node.split('.').map(Number);
  const major = version[0] || 0;
  const minor = version[1] || 0;
  return major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor);
}

if (isTooOld()) {
  console.error(
    `Walkin needs Node.js ${OLDEST.major}.${OLDEST.minor} or newer, this is ${process.versions.node}: install it from https://nodejs.org`,
  );
  process.exitCode = 1;
} else {
  import('./supervisor/setup/main.mjs').then(({ setup }) => setup(process.argv.slice(2), process.env));
}
