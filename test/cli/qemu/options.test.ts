/** The command line of QEMU. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CardSpec } from '../../../src/cli/cards.ts';
import { UsageError } from '../../../src/cli/errors.ts';
import { PROJECT_ROOT } from '../../../src/cli/paths.ts';
import { DEVICE_ROWS } from '../../../src/cli/qemu/devices.ts';
import { ANSWERS, OPTIONS } from '../../../src/cli/qemu/options.ts';
import { parseQemu, readOptions } from '../../../src/cli/qemu/parse.ts';
import { type QemuMachine, resolve } from '../../../src/cli/qemu/translate.ts';

/** The machine of a line; a line that starts nothing gets a kernel. */
function parse(line: string): QemuMachine {
  const args = line.split(' ').filter(Boolean);
  const starts = /-(kernel|bios|pflash)\b|if=pflash|cpu-num=0/.test(line);
  const request = parseQemu(starts ? args : [...args, '-kernel', 'k']);
  if (request.kind !== 'machine') throw new Error(request.text);
  return request.machine;
}

/** The machine with its cards by kind. */
const inOrder = (m: QemuMachine): QemuMachine => ({
  ...m,
  cli: { ...m.cli, cards: m.cli.cards!.toSorted((a, b) => a.kind.localeCompare(b.kind)) },
});

describe('loongscope qemu', () => {
  test('a kernel as run scripts start it', () => {
    const { image, cli } = parse(
      '-machine virt -m 512M -smp cpus=2,cores=2 -cpu max -nographic -kernel vmlinuz -initrd rd -append console=ttyS0 -no-reboot -monitor none',
    );
    expect(image).toBe('vmlinuz');
    expect(cli).toMatchObject({ memory: 2 ** 29, smp: 2, initrd: 'rd', append: 'console=ttyS0', reboot: false });
    expect(cli.cpu.lam_bh).toBe(true);
  });

  test('QEMU’s own defaults, and a memory size in MiB', () => {
    expect(parse('-M virt').cli).toMatchObject({ memory: 2 ** 30, smp: 1, serial: { kind: 'stdio' } });
    expect(parse('-M virt').cli.cpu.lam_bh).toBe(false);
    expect(parse('-m 256').cli.memory).toBe(2 ** 28);
    expect(parse('-m size=2G').cli.memory).toBe(2 ** 31);
  });

  test('disks and network cards by name', () => {
    const { cli } = parse(
      '-device virtio-blk-pci,drive=x0 -drive id=x0,file=disk.img,format=raw,if=none -drive if=none,id=x1,file=unused -snapshot -device virtio-net-pci',
    );
    const place = { slot: undefined, interfaces: 'transitional' };
    expect(cli.cards).toEqual([
      { kind: 'block', drive: { file: 'disk.img', readOnly: false, copyOnWrite: true, probe: false }, ...place },
      { kind: 'net', net: { kind: 'isolated' }, mac: undefined, ...place },
    ]);
  });

  test('a folder of the host', () => {
    expect(parse('-virtfs local,path=/srv,mount_tag=data,security_model=none').cli.cards).toContainEqual(
      expect.objectContaining({ kind: 'share', share: { folder: '/srv', tag: 'data', readOnly: false } }),
    );
    expect(() => parse('-virtfs proxy,path=/srv')).toThrow(/use local,path=FOLDER/);
  });

  test('firmware', () => {
    expect(parse('-bios QEMU_EFI.fd').cli.firmware).toBe('QEMU_EFI.fd');
    expect(parse('-drive if=pflash,format=raw,file=code.fd').cli.firmware).toBe('code.fd');
  });

  test('a debugger', () => {
    expect(parse('-s -S').cli).toMatchObject({ gdb: { host: '127.0.0.1', port: 1234 }, wait: true });
    expect(parse('-gdb tcp::4321').cli.gdb).toEqual({ host: '127.0.0.1', port: 4321 });
  });

  test('the order of options is free', () => {
    const options = [
      '-m 1G',
      '-smp 2,sockets=2',
      '-kernel k',
      '-device virtio-blk-pci,drive=x0',
      '-drive file=a,if=none,id=x0',
      '-drive file=b,if=none,id=x1',
      '-netdev user,id=n',
      '-device virtio-net-pci-transitional,netdev=n,mac=52:54:00:00:00:07',
      '-chardev null,id=c',
      '-serial chardev:c',
      '-object memory-backend-ram,id=r,size=1G',
      '-machine virt,memory-backend=r',
      '-append x',
      '-snapshot',
    ];
    const expected = parse(options.join(' '));
    expect(expected.cli).toMatchObject({ smp: 2, serial: { kind: 'null' } });
    expect(expected.cli.cards).toContainEqual(expect.objectContaining({ mac: [0x52, 0x54, 0, 0, 0, 7] }));
    const sample = fc.shuffledSubarray(options, { minLength: options.length });
    fc.assert(
      fc.property(sample, (some) => {
        // The order of -device decides about slots.
        expect(inOrder(parse(some.join(' ')))).toEqual(inOrder(expected));
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['4', 4, [1, 4, 1]],
    ['8,cores=8,threads=1,sockets=1', 8, [1, 8, 1]],
    ['4,sockets=2', 4, [2, 2, 1]],
    ['8,cores=2', 8, [4, 2, 1]],
    ['16,threads=2', 16, [1, 8, 2]],
    ['sockets=2,cores=2,threads=2', 8, [2, 2, 2]],
    ['cpus=2,maxcpus=2', 2, [1, 2, 1]],
    ['maxcpus=4', 4, [1, 4, 1]],
  ])('-smp %s', (text, smp, [sockets, cores, threads]) => {
    expect(parse(`-smp ${text}`).cli).toMatchObject({ smp, topology: { sockets, cores, threads } });
  });

  test.each([
    ['la464-loongarch-cpu', false],
    ['Loongson-3A5000', false],
    ['la464,lsx=on,lasx=off', false],
    ['max-loongarch-cpu,lbt=off,pmu=auto', true],
  ])('-cpu %s', (name, newer) => {
    expect(parse(`-cpu ${name}`).cli.cpu.lam_bh).toBe(newer);
    expect(parse(`-cpu ${name}`).cli.cpu.lasx).toBe(!name.includes('lasx=off'));
  });

  test('disks in every form', () => {
    const files = (line: string): string[] =>
      parse(line).cli.cards!.flatMap((c) =>
        c.kind === 'block' ? [c.drive.file + (c.drive.readOnly ? ' ro' : '')] : [],
      );
    expect(files('-hdb b -cdrom c -hda a')).toEqual(['b', 'c ro', 'a']);
    expect(files('-drive file=x,format=raw,index=1,media=disk -drive file=y,index=0')).toEqual(['x', 'y']);
    expect(files('-hda a -device virtio-blk-pci,drive=d -drive if=none,id=d,file=x')).toEqual(['x', 'a']);
    expect(files('-drive file=a,,b,cache=none,aio=native,file.locking=off')).toEqual(['a,b']);
    expect(
      files(
        '-blockdev driver=file,node-name=f,filename=d.img -blockdev driver=raw,node-name=r,file=f,read-only=on -device virtio-blk-pci,drive=r',
      ),
    ).toEqual(['d.img ro']);
    expect(files('-drive file=nbd:localhost:10809:exportname=x')).toEqual(['nbd:localhost:10809:exportname=x']);
    expect(files('-drive driver=nbd,server.type=unix,server.path=/s,export=e')).toEqual(['nbd:unix:/s:exportname=e']);
    expect(files('-device virtio-blk-device,drive=d,bus=virtio-mmio-bus.0 -drive if=none,id=d,file=x')).toEqual(['x']);
    expect(parse('-device virtio-blk-device,drive=d -drive if=none,id=d,file=x').cli.virtio).toBe('mmio');
  });

  /** The cards of a line, each as kind, slot, interfaces. */
  function cards(line: string): string[] {
    const draft = readOptions(line.split(' '));
    if (typeof draft === 'string') throw new Error(draft);
    return resolve(draft).cards.map((c) => {
      const disks = c.kind === 'ahci' ? c.disks.map((x) => x?.file ?? '-').join('') : '';
      return [c.kind + disks, c.bus === 'mmio' ? 'mmio' : c.interfaces, ...(c.slot === undefined ? [] : [c.slot])].join(
        ' ',
      );
    });
  }

  test('cards in the order of QEMU: its own network card, those of -device, disks without one', () => {
    expect(
      cards(
        '-hda a -virtfs local,path=/srv,mount_tag=t -device virtio-rng-pci-non-transitional,addr=0x1f.0 -device virtio-9p-pci,fsdev=f,mount_tag=u,disable-modern=on -fsdev local,id=f,path=/srv',
      ),
    ).toEqual(['net transitional', 'share transitional', 'entropy modern 31', 'share legacy', 'block transitional']);
    expect(cards('-device virtio-net-device -drive file=a')).toEqual(['net mmio', 'block mmio']);
    expect(
      cards('-nic user,model=virtio -device virtio-blk-pci,drive=d,disable-legacy=on -drive id=d,if=none,file=a'),
    ).toEqual(['net transitional', 'block modern']);
  });

  test('whether a disk is said to be raw', () => {
    const draft = readOptions([
      '-hda',
      'a',
      '-drive',
      'file=b',
      '-drive',
      'file=c,format=raw',
      '-drive',
      'driver=raw,file=d',
    ]);
    if (typeof draft === 'string') throw new Error(draft);
    expect(resolve(draft).draft.drives.map((x) => x.file + x.raw)).toEqual(['afalse', 'bfalse', 'ctrue', 'dtrue']);
  });

  test('Serial ATA disks have the ports that they name, or the next free ones', () => {
    const disks = '-drive if=none,id=a,file=a -drive if=none,id=b,file=b -drive if=none,id=c,file=c';
    expect(
      cards(
        `-nodefaults -device ide-hd,drive=a,bus=x.2 -device ide-hd,drive=b -device ahci,id=x ${disks} -device ide-hd,drive=c`,
      ),
    ).toEqual(['ahcibca--- modern']);
    expect(() => cards('-device ide-hd,drive=a -drive if=none,id=a,file=a')).toThrow(
      /there is no bus left: add -device ahci,id=ahci/,
    );
    expect(() =>
      cards(`-device ahci,id=x -device ide-hd,drive=a,bus=x.0 -device ide-hd,drive=b,bus=x.0 ${disks}`),
    ).toThrow(/two disks are on x\.0/);
  });

  test('networks over sockets', () => {
    const network = (text: string): unknown => {
      const draft = readOptions(['-netdev', text]);
      return typeof draft === 'string' ? draft : draft.netdevs[0]!.network;
    };
    const [stream, datagram] = [{ kind: 'stream' }, { kind: 'datagram' }];
    expect(network('stream,id=n,server=on,addr.type=unix,addr.path=s')).toMatchObject({
      ...stream,
      role: 'listen',
      address: { path: 's' },
    });
    expect(network('stream,id=n,addr.type=inet,addr.host=localhost,addr.port=77')).toMatchObject({
      ...{ ...stream, role: 'connect' },
      address: { host: '127.0.0.1', port: 77 },
    });
    expect(network('socket,id=n,listen=:77')).toMatchObject({ ...stream, role: 'listen', address: { port: 77 } });
    expect(network('socket,id=n,connect=127.0.0.1:78')).toMatchObject({
      ...stream,
      role: 'connect',
      address: { port: 78 },
    });
    expect(
      network(
        'dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port=1,remote.type=inet,remote.host=127.0.0.1,remote.port=2',
      ),
    ).toMatchObject({
      ...datagram,
      local: { port: 1 },
      remote: { port: 2 },
    });
    expect(network('socket,id=n,udp=127.0.0.1:2,localaddr=127.0.0.1:1')).toMatchObject({
      ...datagram,
      local: { port: 1 },
      remote: { port: 2 },
    });
    expect(network('user,id=n,hostfwd=tcp::5555-:22,hostfwd=udp:127.0.0.2:1-10.0.2.15:2,hostname=h')).toMatchObject({
      hostname: 'h',
      forwards: [
        { protocol: 'tcp', from: { host: '127.0.0.1', port: 5555 }, to: 22 },
        { protocol: 'udp', from: { host: '127.0.0.2', port: 1 }, to: 2 },
      ],
    });
  });

  test('a network card in every form; one is there by default, as in QEMU', () => {
    const netOf = (line: string): CardSpec | undefined => parse(line).cli.cards!.find((c) => c.kind === 'net');
    expect(netOf('')).toMatchObject({ net: { kind: 'isolated' } });
    for (const none of ['-nic none', '-net none', '-nodefaults', '-netdev user,id=n'])
      expect(netOf(none), none).toBeUndefined();
    for (const line of [
      '-nic user,model=virtio-net-pci,mac=52:54:00:00:00:07,hostfwd=tcp::2222-:22',
      '-net nic,macaddr=52:54:00:00:00:07 -net user',
      '-device virtio-net,netdev=n,mac=52:54:00:00:00:07,romfile= -netdev user,id=n',
      '-nodefaults -net nic,netdev=n,model=virtio,macaddr=52:54:00:00:00:07 -netdev user,id=n',
    ])
      expect(netOf(line), line).toMatchObject({ mac: [0x52, 0x54, 0, 0, 0, 7], net: { kind: 'user' } });
    expect(
      netOf('-netdev user,id=n -device virtio-net-pci,netdev=n -object filter-dump,id=f,netdev=n,file=d.pcap'),
    ).toMatchObject({ net: { kind: 'user', pcap: 'd.pcap' } });
    expect(netOf('-device virtio-net-pci,addr=6')).toMatchObject({ slot: 6 });
  });

  test('serial lines, monitors and QMP', () => {
    expect(parse('-serial mon:stdio').cli.serial).toEqual({ kind: 'stdio' });
    expect(parse('-serial none').cli.serial).toEqual({ kind: 'null' });
    expect(parse('-serial tcp::4321,server,nowait').cli.serial).toEqual({
      ...{ kind: 'socket', address: { host: '127.0.0.1', port: 4321 } },
      ...{ server: true, wait: false, telnet: false },
    });
    expect(parse('-serial telnet:localhost:4321,server=on').cli.serial).toMatchObject({ wait: true, telnet: true });
    expect(parse('-serial null -serial null').cli.serial).toEqual({ kind: 'null' });
    const { cli } = parse(
      '-serial null -chardev socket,id=q,path=p,server=on,wait=off -mon chardev=q,mode=control -monitor stdio -name a -uuid 12345678-1234-1234-1234-123456789ABC',
    );
    expect(cli.controls).toEqual([
      {
        protocol: 'qmp',
        option: '-mon',
        character: { ...{ kind: 'socket', address: { path: 'p' }, server: true }, wait: false, telnet: false },
      },
      { protocol: 'human', option: '-monitor', character: { kind: 'stdio' } },
    ]);
    expect(cli.identity).toEqual({ name: 'a', uuid: '12345678-1234-1234-1234-123456789abc' });
    expect(
      parse('-device virtio-serial-pci -chardev stdio,id=c -device virtconsole,chardev=c -serial none').cli,
    ).toMatchObject({ console: 'virtio', serial: { kind: 'stdio' } });
  });

  test('time, resets, logs', () => {
    expect(parse('').cli.clock).toBe('host');
    expect(parse('-icount shift=auto,align=off').cli.clock).toBe('virtual');
    expect(parse('-icount shift=0 -history 64M').cli.history).toBe(2 ** 26);
    for (const line of ['-icount shift=0,rr=record,rrfile=x', '-icount shift=0 -record x'])
      expect(parse(line).cli).toMatchObject({ clock: 'virtual', record: 'x' });
    expect(parse('-rtc base=2006-06-17T16:01:21,clock=vm').cli.timeOfDay).toBe(Date.UTC(2006, 5, 17, 16, 1, 21));
    expect(parse('-rtc base=utc').cli.timeOfDay).toBeUndefined();
    expect(parse('-action reboot=shutdown,shutdown=pause').cli).toMatchObject({ reboot: false, keep: true });
    expect(parse('-no-shutdown').cli.keep).toBe(true);
    expect(parse('-d int,pcall -D f').cli.log).toEqual({ kinds: new Set(['exception']), file: 'f' });
    expect(parse('-d nochain').cli.log).toBeUndefined();
    expect(parse('-S -qmp unix:q,server,nowait').cli.wait).toBe(true);
  });

  test('folders, items for firmware, RAM of a backend', () => {
    const { cli } = parse(
      '-fsdev local,id=f,path=/srv,security_model=none -device virtio-9p-pci,fsdev=f,mount_tag=t -object memory-backend-ram,id=r,size=512M -machine virt -machine memory-backend=r -fw_cfg opt/x,string=y',
    );
    expect(cli.memory).toBe(2 ** 29);
    expect(cli.cards).toContainEqual(
      expect.objectContaining({ kind: 'share', share: expect.objectContaining({ folder: '/srv', tag: 't' }) }),
    );
    expect(cli.fwCfg!.map(([n, d]) => [n, Buffer.from(d).toString()])).toEqual([['opt/x', 'y']]);
  });

  test('answers instead of a machine', () => {
    const ask = (line: string): string => {
      const request = parseQemu(line.split(' '));
      return request.kind === 'answer' ? request.text : '';
    };
    expect(ask('-version')).toMatch(/version \d+\.\d+\.\d+\n$/);
    // Scripts look for options in the help in this way.
    expect(ask('-help')).toMatch(/^-gdb /m);
    expect(ask('-M virt --help')).toBe(ask('-h'));
    expect(ask('-cpu help')).toContain('la464');
    expect(ask('-machine help')).toContain('virt');
    expect(ask('-device help')).toContain('virtio-blk-pci-non-transitional');
    expect(ask('-d help')).toContain('guest_errors');
    for (const { names } of OPTIONS) expect(ask('-help'), names[0]).toContain(`-${names[0]}`);
  });

  test('options without effect are accepted, and all refused ones say what to do', () => {
    const values: Readonly<Record<string, string>> = {
      ...{ display: 'none', vga: 'none', k: 'de', audio: 'none', audiodev: 'none,id=a', overcommit: 'mem-lock=off' },
      ...{ parallel: 'none', echr: '1', msg: 'timestamp=on', seed: '1' },
    };
    for (const o of OPTIONS.filter((row) => row.kind === 'without effect'))
      for (const name of o.names)
        expect(parse(o.form === undefined ? `-${name}` : `-${name} ${values[name]}`), name).toEqual(parse(''));
    for (const o of OPTIONS.filter((row) => row.kind === 'refused'))
      for (const name of o.names) {
        expect(() => parse(`-${name} x`), name).toThrow(UsageError);
        expect(() => parse(`-${name} x`), name).toThrow(`qemu: -${o.names[0]}: ${o.text}`);
      }
  });

  test('every option that QEMU lists is known here', async () => {
    const own = join(PROJECT_ROOT, '.tools', 'bin', 'qemu-system-loongarch64');
    const { stdout } = await execa(existsSync(own) ? own : 'qemu-system-loongarch64', ['-help']);
    const listed = stdout.split('\n').flatMap((line) => {
      const names = /^--?[a-z][\w-]*(?:(?:\/|, | or )-[\w-]+)*/i.exec(line);
      return names ? [...names[0].matchAll(/-([a-z]\w*(?:-\w+)*)/gi)].map((m) => m[1]!) : [];
    });
    const known = new Set([...OPTIONS, ...ANSWERS].flatMap((o) => o.names));
    expect(listed.length).toBeGreaterThan(80);
    expect(listed.filter((name) => !known.has(name))).toEqual([]);
  });

  test('no name stands for two options or devices, and each says something', () => {
    const names = [...OPTIONS.flatMap((o) => o.names), ...ANSWERS.flatMap((a) => a.names)];
    const devices = DEVICE_ROWS.flatMap((d) => d.names);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(devices).size).toBe(devices.length);
    for (const { text } of [...OPTIONS, ...DEVICE_ROWS]) expect(text.length).toBeGreaterThan(8);
  });

  test.each([
    ['-foo', /'-foo' is not known: see loongscope qemu -help/],
    ['kernel.elf', /'kernel.elf' is no option: a kernel needs -kernel/],
    ['-M pc', /-machine: 'pc' is not known: use virt/],
    ['-M virt,iommu=smmuv3', /-machine: 'iommu=smmuv3' is not understood/],
    ['-M virt,accel=kvm', /there is no 'kvm' here: use tcg/],
    ['-accel kvm', /there is no 'kvm' here: use tcg/],
    ['-enable-kvm', /there is no KVM/],
    ['-cpu la132', /a 32-bit CPU, which is not modelled: use la464 or max/],
    ['-cpu host', /for KVM: use max/],
    ['-cpu la464,pmu=on', /pmu=on: the CPU has no such part/],
    ['-cpu la464,foo=on', /'foo=on' is not understood/],
    ['-smp 1,maxcpus=4,sockets=4', /cannot be added while the machine runs: make it equal to cpus=1/],
    ['-smp 4,sockets=3', /3 sockets of 1 cores of 1 threads are 3 CPUs, not 4/],
    ['-smp 17', /from 1 to 16/],
    ['-smp 4,dies=2', /dies=2: the board has no such level/],
    ['-smp many', /not a whole number/],
    ['-m 1G,slots=2,maxmem=4G', /memory cannot be added while the machine runs: leave slots= and maxmem= out/],
    ['-m 1', /-m: '1048576' is out of range/],
    ['-m 1G -m 2G', /-m is given twice, as '1G' and as '2G': leave one of them out/],
    ['-kernel a -kernel b', /-kernel is given twice, as 'a' and as 'b'/],
    ['-device virtio-balloon-pci', /costs nothing here: leave it out/],
    ['-device e1000', /-device e1000: there is no such network card: use virtio-net-pci/],
    ['-device nvme,drive=x', /-device nvme: there is no NVMe disk: use virtio-blk-pci/],
    ['-device made-up', /-device made-up: it is not known: use virtio-blk-pci/],
    ['-device virtio-blk-pci,drive=x9', /there is no drive 'x9': add -drive if=none,id=x9,file=/],
    ['-device virtio-blk-pci', /drive= is missing/],
    ['-device virtio-net-pci,netdev=n9', /there is no network 'n9': add -netdev user,id=n9/],
    ['-device virtio-net-pci,bus=pcie.7', /there is no bus 'pcie.7' for it: use bus=pcie.0/],
    ['-device virtio-net-pci,addr=32', /addr=32 is no slot of the bus/],
    ['-device virtio-net-pci,speed=9', /'speed=9' is not understood/],
    ['-device virtio-net-pci,mac=1:2:3', /'1:2:3' is no address of a card/],
    ['-device virtio-rng-pci,id=a -device virtio-rng-pci,id=a', /another device has the id 'a' already/],
    ['-drive file=a,id=x,if=none -drive file=b,id=x,if=none', /two options give the id 'x' to a drive/],
    [
      '-drive file=a,if=none,id=x -device virtio-blk-pci,drive=x -device virtio-blk-pci,drive=x',
      /the drive 'x' belongs to -device virtio-blk-pci already/,
    ],
    [
      '-drive file=a,id=x -device virtio-blk-pci,drive=x',
      /has a device already, because it is not if=none: add if=none/,
    ],
    ['-drive if=none,id=x', /file= is missing: add the path/],
    [
      '-drive file=a,format=qcow2',
      /no image format but raw is read: serve it with qemu-nbd -f qcow2, and give file=nbd:/,
    ],
    ['-drive file=a,if=ide', /if=ide: the board has no such bus/],
    ['-hda a -drive file=b,index=0', /two drives are number 0/],
    ['-sd a', /the board has no SD card: use -drive/],
    ['-netdev user,id=n -netdev user,id=n', /two options give the id 'n' to a network/],
    ['-netdev tap,id=n,ifname=tap0,script=no', /tap needs rights or programs/],
    ['-netdev user,id=n,tftp=/x', /tftp=: the network has no such server/],
    ['-netdev user,id=n,hostfwd=tcp:5', /hostfwd=tcp:5 is malformed: write hostfwd=tcp::5555-:22/],
    ['-netdev user', /id= is missing/],
    ['-nic none -nic user', /-nic none and a network card contradict each other/],
    ['-nic user -nic user', /only one network card can lead out of the machine/],
    ['-nic user,model=e1000', /there is no such network card: use virtio-net-pci/],
    ['-object filter-dump,id=d,netdev=n,file=f', /there is no network 'n': add -netdev user,id=n/],
    ['-object memory-backend-ram,id=r,size=1G', /nothing uses 'r': add -machine virt,memory-backend=r/],
    ['-object secret,id=s', /there is no secret here/],
    [
      '-machine memory-backend=r',
      /memory-backend=r: there is no such object: add -object memory-backend-ram,id=r,size=SIZE/,
    ],
    ['-gdb udp::1', /use tcp::PORT/],
    ['-kernel', /-kernel wants a value/],
    ['-serial tcp:x', /'x' is no address: write HOST:PORT/],
    ['-serial vc', /there is no window: use stdio/],
    ['-serial pty', /Node cannot make a pty: use unix:PATH,server/],
    ['-serial chardev:c', /there is no chardev 'c': add -chardev stdio,id=c/],
    ['-serial stdio -serial file:x', /one serial line is connected, and a second one is given/],
    ['-qmp stdio', /the terminal belongs to the serial line already: add -serial null/],
    ['-monitor file:x', /a file cannot be talked to/],
    ['-chardev stdio,id=a -serial chardev:a -mon chardev=a', /the chardev 'a' belongs to -serial already/],
    ['-chardev stdio,id=a', /-chardev id=a: nothing uses it: add -serial chardev:a/],
    ['-S', /-S without anybody who could start the machine: add -s or -qmp/],
    ['-d nonsense', /'nonsense' is no log of QEMU/],
    ['-d trace:virtio*', /there are no trace points/],
    ['-display gtk', /there is no screen: use -nographic or -display none/],
    ['-rtc base=yesterday', /is no date: write utc, localtime or/],
    ['-history 64M', /-history: runs in real time do not repeat: add -icount shift=0/],
    ['-icount shift=0 -history 1M', /-history: '1M' is out of range/],
    ['-icount shift=0,rr=replay,rrfile=x', /use loongscope replay x/],
    ['-icount shift=0,rr=record', /rr=record and rrfile=FILE go together/],
    ['-icount shift=0,rr=record,rrfile=x,rrsnapshot=y', /has states of its own to go back to/],
    ['-record x', /-record: runs in real time do not repeat: add -icount shift=0/],
    ['-uuid 3', /'3' is no UUID/],
    ['-fw_cfg name=opt/a,string=b,file=c', /give either string= or file=/],
    ['-action reboot=panic', /reboot=panic: use reset or shutdown/],
    ['-device loader,file=a,cpu-num=0', /k starts already: leave cpu-num= out/],
    [
      '-device virtio-blk-device,drive=a -drive file=f,if=none,id=a -device virtio-net-pci',
      /virtio devices on PCI and memory-mapped ones/,
    ],
    ['-bios a -drive if=pflash,file=b', /both give the firmware/],
    ['-fsdev local,id=f,path=/srv', /-fsdev id=f: no device uses it: add -device virtio-9p-pci,fsdev=f/],
  ])('%s is refused by name', (line, message) => {
    expect(() => parse(line.startsWith('-device loader') ? `${line} -kernel k` : line)).toThrow(UsageError);
    expect(() => parse(line.startsWith('-device loader') ? `${line} -kernel k` : line)).toThrow(message);
  });

  test('whatever is given, a mistake is one line', () => {
    const names = OPTIONS.flatMap((o) => o.names);
    const word = fc.oneof(
      fc.constantFrom(...DEVICE_ROWS.flatMap((d) => d.names), 'constructor', 'user', 'virt', 'stdio', 'socket', 'x'),
      fc.string({ maxLength: 6 }),
    );
    const key = fc.constantFrom(
      'id',
      'file',
      'if',
      'drive',
      'netdev',
      'chardev',
      'path',
      'port',
      'unit',
      'size',
      '__proto__',
    );
    const value = fc
      .tuple(word, fc.array(fc.tuple(key, word), { maxLength: 3 }))
      .map(([first, pairs]) => [first, ...pairs.map(([k, v]) => `${k}=${v}`)].join(','));
    const options = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 4 });
    fc.assert(
      fc.property(options, (list) => {
        try {
          parse(list.map(([n, v]) => `-${n} ${v.replaceAll(' ', '')}`).join(' '));
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as Error).message).toMatch(/^[^\n]+: [^\n]+$/);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('what has no effect, or another one, is said', () => {
    const { warnings } = parse('-drive file=a,if=none,id=x -netdev user,id=n -d in_asm,int');
    expect(warnings).toEqual([
      '-drive id=x: no device uses it: add -device virtio-blk-pci,drive=x',
      '-netdev id=n: no card uses it: add -device virtio-net-pci,netdev=n',
      '-d in_asm: no such log is kept in this version',
    ]);
    expect(parse('-pflash a -pflash b').warnings).toEqual([
      '-pflash: firmware begins without variables in this version',
    ]);
    expect(parse('-kernel k').warnings).toEqual([]);
  });

  test('nothing to start, and options of a kernel without one', () => {
    expect(() => parseQemu([])).toThrow('qemu: nothing to start: add -kernel FILE or -bios FILE');
    expect(() => parseQemu(['-bios', 'b', '-append', 'x'])).toThrow('qemu: -append without a kernel: add -kernel FILE');
  });
});
