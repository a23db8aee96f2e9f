/** The cable between the network card and a network outside: what waits on it, what is lost on it, what is recorded of it. */
import type { FrameSource } from '../../emu/debug/stop.ts';
import type { Network } from '../../emu/devices/virtio/net.ts';
import { say } from '../ending.ts';
import type { Outside } from './outside.ts';
import type { PacketFile } from './pcap.ts';

/** Length of an Ethernet header. A frame cannot be shorter. */
const HEADER_BYTES = 14;
/** Most bytes that wait for the machine. Then the source pauses; one that cannot pause loses frames. */
const MOST_ARRIVED = 2 ** 20;

/** The part of run control, or of a machine with threads, that the cable needs. */
export interface CableUser {
  connectNetwork(network: FrameSource): void;
  kick(): void;
  /** Does the machine execute its past again? Then its frames were sent before. */
  readonly repeating?: boolean;
}

/** A network that must know of the machine that it is connected to. */
export interface Pluggable {
  /** Before the machine runs. @throws UsageError when the outside cannot be reached */
  plug(user: CableUser): Promise<void>;
  /** After its end. */
  unplug(): void;
}

export class Cable implements Network, FrameSource, Pluggable {
  private readonly name: string;
  private readonly outside: Outside;
  private readonly pcap: PacketFile | undefined;
  private user: CableUser | undefined;
  private readonly waiting: Uint8Array[] = [];
  private bytes = 0;
  private paused = false;
  private open = false;
  /** Why the outside has gone while the cable was being plugged in. */
  private early: string | undefined;
  private keepAlive: ReturnType<typeof setInterval> | undefined;
  /** Frames that the machine has sent, and that the outside did not take. */
  unsent = 0;
  /** Frames that have arrived, and for which there was no room. */
  untaken = 0;

  constructor(name: string, outside: Outside, pcap?: PacketFile) {
    this.name = name;
    this.outside = outside;
    this.pcap = pcap;
  }

  async plug(user: CableUser): Promise<void> {
    this.user = user;
    // A machine that waits for a frame keeps the program alive; one that has ended does not.
    this.keepAlive = setInterval(() => {}, 2 ** 30);
    try {
      await this.outside.open({ arrived: (frame) => this.arrived(frame), lost: (why) => this.lost(why) });
    } catch (error) {
      this.unplug();
      throw error;
    }
    this.open = true;
    user.connectNetwork(this);
    if (this.early !== undefined) this.lost(this.early);
  }

  unplug(): void {
    clearInterval(this.keepAlive);
    if (this.open) this.outside.close();
    this.open = false;
  }

  get live(): boolean {
    return this.open || this.waiting.length > 0;
  }

  private lost(why: string): void {
    this.early = why;
    if (!this.open) return;
    this.unplug();
    say(`warning: --net ${this.name}: ${why}: the machine goes on without a network`);
    this.user!.kick();
  }

  private warn(count: number, what: string): void {
    if (count === 1) say(`warning: --net ${this.name}: ${what}: frames are lost, as on a busy wire`);
  }

  /** For machines that send: nothing of this network arrives by itself. */
  connect(): void {}

  send(frame: Uint8Array): void {
    if (this.user?.repeating) return;
    this.pcap?.write(frame);
    if (this.open && !this.outside.send(frame)) this.warn(++this.unsent, 'its other end does not read');
  }

  private arrived(frame: Uint8Array): boolean {
    if (frame.length < HEADER_BYTES) return true;
    if (this.bytes + frame.length > 2 * MOST_ARRIVED) {
      this.warn(++this.untaken, 'the machine takes nothing');
      return false;
    }
    // A copy, because the bytes may be a part of a large piece.
    this.waiting.push(new Uint8Array(frame));
    this.bytes += frame.length;
    this.paused = this.bytes > MOST_ARRIVED;
    this.user!.kick();
    return !this.paused;
  }

  next(): Uint8Array | undefined {
    const frame = this.waiting.shift();
    if (!frame) return undefined;
    this.bytes -= frame.length;
    if (this.paused && this.bytes < MOST_ARRIVED / 2) {
      this.paused = false;
      this.outside.resume();
    }
    this.pcap?.write(frame);
    return frame;
  }
}
