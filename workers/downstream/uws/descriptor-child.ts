// workers/downstream/uws/descriptor-child.ts: sets an option of listening sockets that uWebSockets.js has made.
//
// Runs as a process of its own for some 80 ms, with those sockets as descriptors 3 and up: Node's handles can't
// be put on a descriptor that this event loop watches already, and closing one would close the socket; a
// process that ends closes its copies alone. Both share the sockets themselves, so what is set here holds there.
// argv: "receive-buffer" | "backlog", the figure, the number of descriptors. Exit code 0: done. Hot: no.

interface UdpHandle {
  open(descriptor: number): number
  bufferSize(size: number, isReceive: boolean, fault: object): number | undefined
}

interface TcpHandle {
  open(descriptor: number): number
  listen(backlog: number): number
}

interface Bindings {
  binding(name: 'udp_wrap'): { readonly UDP: new () => UdpHandle }
  binding(name: 'tcp_wrap'): { readonly TCP: new (kind: number) => TcpHandle }
}

const FIRST = 3
const SERVER = 1
const bindings = process as unknown as Bindings

// setsockopt(SO_RCVBUF), which Node offers on UDP handles only; the kernel asks nobody what kind it is.
function setReceiveBuffer(descriptor: number, bytes: number): boolean {
  const { UDP } = bindings['binding']('udp_wrap')
  const handle = new UDP()
  return handle.open(descriptor) === 0 && handle.bufferSize(bytes, true, {}) !== undefined
}

// listen() again changes the length of the queue. Nothing is accepted here: this process ends in this turn.
function setBacklog(descriptor: number, length: number): boolean {
  const { TCP } = bindings['binding']('tcp_wrap')
  const handle = new TCP(SERVER)
  return handle.open(descriptor) === 0 && handle.listen(length) === 0
}

const [, , option, figure, count] = process.argv
const set = option === 'backlog' ? setBacklog : setReceiveBuffer
let isDone = true
for (let i = 0; i < Number(count); i++) isDone = set(FIRST + i, Number(figure)) && isDone
process.exit(isDone ? 0 : 1)
