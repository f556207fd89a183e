// Several processes behind one port and over one data directory.

export { type Seat, takeSeat } from './seat.ts';
export { supervise } from './supervisor.ts';
