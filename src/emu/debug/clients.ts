/** The clients of a machine. It runs while all of them want it to run, and a stop is reported to all of them. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Client, End, Stop } from './stop.ts';
import type { Vm } from './vms.ts';

export class Clients {
  private readonly list = new Set<Client>();

  add(client: Client): void {
    this.list.add(client);
  }

  remove(client: Client): void {
    this.list.delete(client);
  }

  get none(): boolean {
    return this.list.size === 0;
  }

  /** Do all clients want the machine to run? */
  get agree(): boolean {
    for (const client of this.list) if (!client.running) return false;
    return true;
  }

  /** Reports a stop to those that wait for one. Other clients sit at their prompts: they have not asked. */
  stopped(stop: Stop): void {
    for (const client of [...this.list]) {
      if (!client.running) continue;
      client.running = false;
      client.stopped(stop);
    }
  }

  ended(end: End): void {
    for (const client of [...this.list]) client.ended(end);
  }

  /** Does another client keep the machine stopped? */
  heldBesides(client: Client): boolean {
    return [...this.list].some((c) => c !== client && !c.running);
  }

  /** A program has halted, in words. */
  halted(text: string): void {
    for (const client of this.list) client.halted?.(text);
  }

  /** A VM has been entered for the first time. */
  firstEntry(cpu: Cpu, vm: Vm): void {
    for (const client of this.list) client.firstEntry?.(cpu, vm);
  }
}
