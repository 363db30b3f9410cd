/**
 * Where the parts that have a file of their own take their places on the screen. Each gets the whole state.
 */
export { Details } from './details';
export { Flame } from './flame';
export { Table } from './table';
