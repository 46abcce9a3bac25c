import { Socket } from 'node:net';

/** What comes on a connection. */
export interface Reads {
  /** The connection from now on: the one that was accepted is no longer it. */
  readonly socket: Socket;
  /** From now on what comes is read from the socket, as from any other. */
  stop(): void;
}

/** All connections are read into it. */
const SHARED = Buffer.allocUnsafeSlow(64 * 1_024);

/**
 * Gives what comes to `take`, to whom the bytes belong until it returns. For each read of an accepted socket Node takes 64 kB of memory, gives the
 * most of them back, makes a buffer of the rest and sends it through a stream, which together are 4 % of a bid request; and what
 * is made so counts towards the next mark of the heap. Sockets that are connected can read into memory of ours (`onread`), and so
 * can one that is made for an accepted handle. Nothing else of a socket has to be known but where it keeps that; where it does not, it is
 * read as usual.
 */
export function readConnection(accepted: Socket, take: (bytes: Buffer) => void): Reads {
  const handle = (accepted as Held)._handle;
  if (typeof handle?.useUserBuffer !== 'function') return readStream(accepted, take);
  let isOurs = true;
  const socket = new Socket({
    handle,
    allowHalfOpen: accepted.allowHalfOpen,
    // It is being read already.
    manualStart: true,
    onread: { buffer: SHARED, callback: onBytes },
  } as OwnOptions);
  (accepted as Held)._handle = null;
  for (const of of ['server', '_server'] as const) (socket as Held)[of] = (accepted as Held)[of];
  return {
    socket,
    stop: () => {
      isOurs = false;
    },
  };

  function onBytes(length: number): boolean {
    if (!isOurs) return socket.push(Buffer.from(SHARED.subarray(0, length)));
    take(SHARED.subarray(0, length));
    return true;
  }
}

function readStream(socket: Socket, take: (bytes: Buffer) => void): Reads {
  socket.on('data', take);
  return { socket, stop: () => void socket.off('data', take) };
}

/** Of its server's own fields those by which it knows how many connections are open. */
type Held = Omit<Socket, '_handle'> & {
  _handle?: { useUserBuffer?: unknown } | null;
  server?: unknown;
  _server?: unknown;
};

type OwnOptions = NonNullable<ConstructorParameters<typeof Socket>[0]>;
