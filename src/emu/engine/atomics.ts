/** Statements whose order all CPUs must agree on. Where one thread runs all CPUs, plain accesses are enough. */
import { ACCESS, type Access, type Node, type Stmt } from '../isa/semantics.ts';
import type { Emitter } from '../wasm/emitter.ts';
import { Atomic, Op } from '../wasm/opcodes.ts';
import { COMPARE_EXCHANGE, LOAD, storeOf } from './access-opcodes.ts';
import type { Expressions } from './expressions.ts';

export type AtomicStmt = Extract<Stmt, { s: 'update' | 'compareExchange' | 'storeLinked' | 'fence' }>;

/** Clears the bits of the i64 on the stack that are beyond the size of the access. */
function asWideAs(e: Emitter, access: Access): void {
  const { size } = ACCESS[access];
  // value & (2^bits − 1)
  if (size < 8) e.i64(2n ** BigInt(8 * size) - 1n).op(Op.i64And);
}

/** A compare-and-exchange in memory: where, what must be there, and what takes its place. */
interface Exchange {
  readonly access: Access;
  readonly linear: Node;
  readonly expected: Node;
  readonly value: Node;
}

/** Pushes the old value with zero extension. */
function exchange(e: Emitter, x: Expressions, { access, linear, expected, value }: Exchange): void {
  const [opcode, log] = COMPARE_EXCHANGE[ACCESS[access].size]!;
  // compareExchange(place, expected, value)
  x.push(linear);
  x.push(expected);
  asWideAs(e, access);
  x.push(value);
  e.atomic(opcode, log);
}

/** @param shared other threads use the same memory */
export function emitAtomic(e: Emitter, x: Expressions, shared: boolean, s: AtomicStmt): void {
  if (s.s === 'fence') {
    if (shared) e.any(Atomic.fence, [0]);
    return;
  }
  if (s.s === 'storeLinked') {
    if (shared) {
      // id = compareExchange(place, seen, value) == seen
      exchange(e, x, { ...s, expected: s.seen });
      x.push(s.seen);
      asWideAs(e, s.access);
      e.op(Op.i64Eq);
    } else {
      // memory[place] = value; id = 1
      x.push(s.linear);
      x.push(s.value);
      e.mem(storeOf(s.access), 0).i32(1);
    }
    e.set(x.local(s.id, 'i32'));
    return;
  }
  const old = x.local(s.id, 'i64');
  const read = (): void => {
    // old = memory[place]
    x.push(s.linear);
    e.mem(LOAD[s.access], 0).set(old);
  };
  const write = (): void => {
    // memory[place] = value
    x.push(s.linear);
    x.push(s.value);
    e.mem(storeOf(s.access), 0);
  };
  if (s.s === 'update') {
    if (!shared) {
      read();
      write();
      return;
    }
    // do { old = memory[place] } while (compareExchange(place, old, value) != old)
    const again = e.loop();
    read();
    exchange(e, x, { ...s, expected: { k: 'local', ty: 'i64', id: s.id } });
    asWideAs(e, s.access);
    e.get(old);
    asWideAs(e, s.access);
    e.op(Op.i64Ne).brIf(again).end(again);
    return;
  }
  if (shared) {
    // old = signExtend(compareExchange(place, expected, value))
    exchange(e, x, s);
    const { size } = ACCESS[s.access];
    if (size < 8)
      e.i64(BigInt(64 - 8 * size))
        .op(Op.i64Shl)
        .i64(BigInt(64 - 8 * size))
        .op(Op.i64ShrS);
    e.set(old);
    return;
  }
  read();
  // if (old == expected) memory[place] = value
  e.get(old);
  x.push(s.expected);
  e.op(Op.i64Eq);
  const same = e.if();
  write();
  e.end(same);
}
