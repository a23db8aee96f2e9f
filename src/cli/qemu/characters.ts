/** -chardev, -serial, -parallel, -monitor, -qmp and -gdb: who talks to the machine, and over what. */
import { type CharacterSpec, parseCharacter, tcpAddress } from '../character.ts';
import { UsageError } from '../errors.ts';
import { parseAddress } from '../options.ts';
import { type Draft, once, type QemuCharacter, takeId } from './draft.ts';
import { own, Properties } from './properties.ts';

/** Kinds of -chardev that need a library or a device of the host. */
const REFUSED: Readonly<Record<string, string>> = {
  pty: 'Node cannot make a pty: use socket,path=FILE,server=on, and socat to make one of it',
  vc: 'there is no window: use stdio or a socket',
  msmouse: 'there is no mouse: leave it out',
  udp: 'use socket,host=…,port=…',
  serial: 'use pipe,path=FILE',
  parallel: 'use pipe,path=FILE',
  spicevmc: 'there is no SPICE: leave it out',
  ringbuf: 'use file,path=FILE',
};

/** @throws UsageError */
export function chardev(d: Draft, text: string): void {
  const p = new Properties('-chardev', text, 'backend');
  const id = p.need('id', 'id=NAME, by which -serial chardev:NAME takes it');
  takeId(d, 'chardev', id, '-chardev');
  d.chardevs.set(id, character(p));
  // A log is only a second copy of the output; everything else must have been understood.
  if (p.get('logfile') !== undefined) throw p.error('logfile=: there is one place for the output: leave it out');
  p.without('mux', 'signal', 'logappend').done();
}

function character(p: Properties): CharacterSpec {
  const kind = p.get('backend');
  switch (kind) {
    case 'stdio':
    case 'null':
      return { kind };
    case 'file':
      if (p.get('input-path') !== undefined) throw p.error('input-path=: use pipe,path=FILE for both directions');
      return { kind, path: p.need('path', 'path=FILE'), append: p.flag('append') };
    case 'pipe':
      return { kind, path: p.need('path', 'path=FILE') };
    case 'socket': {
      const path = p.get('path');
      const server = p.flag('server');
      const wait = server && p.flag('wait', true);
      const telnet = p.flag('telnet');
      p.without('nodelay', 'delay', 'ipv4', 'ipv6', 'abstract');
      for (const key of ['reconnect', 'reconnect-ms', 'websocket', 'tls-creds', 'fd'])
        if (p.get(key) !== undefined) throw p.error(`${key}= is not possible: leave it out`);
      if (path !== undefined) return { kind, address: { path }, server, wait, telnet };
      const host = p.get('host') ?? '';
      const port = p.need('port', 'host=HOST,port=PORT, or path=FILE');
      return { kind, address: tcpAddress(`${host}:${port}`, 'qemu: -chardev'), server, wait, telnet };
    }
    default: {
      const reason = kind === undefined ? undefined : own(REFUSED, kind);
      if (reason !== undefined) throw p.error(`${kind}: ${reason}`);
      throw p.error(`'${kind ?? ''}' is not known: use stdio, null, file, pipe or socket`);
    }
  }
}

/** `mon:` also gives the keys Ctrl-A X; it is how the terminal always works here. @throws UsageError */
function parse(text: string, option: string): QemuCharacter {
  const plain = text.startsWith('mon:') ? text.slice(4) : text;
  if (plain === 'none') return { kind: 'none' };
  if (plain.startsWith('chardev:')) return { kind: 'chardev', id: plain.slice(8) };
  if (plain === 'vc' || plain.startsWith('vc:'))
    throw new UsageError(`qemu: ${option}: ${plain}: there is no window: use stdio`);
  return parseCharacter(plain, `qemu: ${option}`);
}

/** Serial lines in their order. */
export function serial(d: Draft, text: string): void {
  d.serials.push(parse(text, '-serial'));
}

/** The human monitor. */
export function monitor(d: Draft, text: string): void {
  d.monitorGiven = true;
  const character = parse(text, '-monitor');
  if (character.kind === 'none' || character.kind === 'null') return;
  d.controls.push({ protocol: 'human', option: '-monitor', character });
}

/** QMP in one word: `unix:…`, `tcp:…` or `stdio`. */
export function qmp(d: Draft, text: string): void {
  d.controls.push({ protocol: 'qmp', option: '-qmp', character: parse(text, '-qmp') });
}

/** -mon takes a -chardev. @throws UsageError */
export function mon(d: Draft, text: string): void {
  const p = new Properties('-mon', text, 'chardev');
  const id = p.need('chardev', 'chardev=NAME');
  const mode = p.get('mode') ?? 'readline';
  if (mode !== 'readline' && mode !== 'control') throw p.error(`mode=${mode} is not known: use readline or control`);
  p.without('id', 'pretty').done();
  if (mode === 'readline') d.monitorGiven = true;
  d.controls.push({
    protocol: mode === 'control' ? 'qmp' : 'human',
    option: '-mon',
    character: { kind: 'chardev', id },
  });
}

/** @throws UsageError */
export function gdb(d: Draft, text: string): void {
  const value = once(d, 'gdb', text);
  if (value.startsWith('unix:')) {
    d.gdb = parseAddress(value.split(',')[0]!, 'qemu: -gdb');
    return;
  }
  const m = /^tcp:([^,]*)((?:,\w+(?:=\w+)?)*)$/.exec(value);
  if (!m) throw new UsageError(`qemu: -gdb: '${text}' is not known: use tcp::PORT or unix:PATH`);
  d.gdb = tcpAddress(m[1]!, 'qemu: -gdb');
}
