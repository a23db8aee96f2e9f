/** Members of structures, from BTF. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Btf } from '../../src/hv/awareness/btf.ts';
import { Recognition } from '../../src/hv/awareness/recognition.ts';

/** Kinds of the format. */
const [INT, PTR, ARRAY, STRUCT, UNION, ENUM, TYPEDEF, CONST] = [1, 2, 3, 4, 5, 6, 8, 10];

/** Makes a file with a section `.BTF`. Types are numbered from 1 in the order in which they are added. */
class Writer {
  private readonly types: number[] = [];
  private strings = '\0';

  private text(name: string): number {
    if (name === '') return 0;
    const at = this.strings.length;
    this.strings += `${name}\0`;
    return at;
  }

  add(
    kind: number,
    name: string,
    sizeOrType: number,
    parts: readonly (readonly number[])[] = [],
    tail: readonly number[] = [],
  ): this {
    this.types.push(this.text(name), (kind << 24) | parts.length, sizeOrType, ...tail, ...parts.flat());
    return this;
  }

  member(name: string, type: number, bytes: number): number[] {
    return [this.text(name), type, 8 * bytes];
  }

  section(): Uint8Array {
    const strings = Buffer.from(this.strings, 'latin1');
    const types = Buffer.from(Uint32Array.from(this.types).buffer);
    const header = Buffer.alloc(24);
    header.writeUInt16LE(0xeb9f, 0);
    header.writeUInt8(1, 2);
    for (const [n, v] of [24, 0, types.length, types.length, strings.length].entries())
      header.writeUInt32LE(v, 4 + 4 * n);
    return Buffer.concat([header, types, strings]);
  }

  file(): Uint8Array {
    const [section, names] = [this.section(), Buffer.from('\0.BTF\0.shstrtab\0')];
    const header = Buffer.alloc(64 + 3 * 64);
    header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    header.writeUInt16LE(258, 18);
    header.writeBigUInt64LE(64n, 40);
    header.writeUInt16LE(64, 58);
    header.writeUInt16LE(3, 60);
    header.writeUInt16LE(2, 62);
    const sections = [
      { name: 1, at: header.length, size: section.length },
      { name: 6, at: header.length + section.length, size: names.length },
    ];
    for (const [n, { name, at, size }] of sections.entries()) {
      const head = 64 * (n + 2);
      header.writeUInt32LE(name, head);
      header.writeUInt32LE(1, head + 4);
      header.writeBigUInt64LE(BigInt(at), head + 24);
      header.writeBigUInt64LE(BigInt(size), head + 32);
    }
    return Buffer.concat([header, section, names]);
  }
}

/** The parts of KVM's structures that its descriptor names, with odd offsets. */
function kvm(): Writer {
  const w = new Writer();
  w.add(INT, 'long unsigned int', 8, [], [64]); // 1
  w.add(ARRAY, '', 0, [], [1, 1, 2048]); // 2: the registers
  w.add(STRUCT, 'loongarch_csrs', 16384, [w.member('csrs', 2, 8)]); // 3
  w.add(PTR, '', 3); // 4
  w.add(CONST, '', 4); // 5
  w.add(TYPEDEF, 'csrs_t', 5); // 6
  w.add(ENUM, 'state', 4, [[0, 1]]); // 7
  w.add(UNION, '', 8, [w.member('host_sp', 1, 0), w.member('host_stack', 1, 0)]); // 8
  w.add(STRUCT, 'kvm_vcpu_arch', 600, [
    w.member('gprs', 2, 40),
    w.member('', 8, 300),
    w.member('pc', 1, 320),
    w.member('csr', 6, 400),
  ]); // 9
  w.add(STRUCT, 'kvm_vcpu', 1000, [w.member('state', 7, 0), w.member('arch', 9, 16)]); // 10
  return w;
}

describe('BTF', () => {
  test('members, unions without a name, typedefs, pointers', () => {
    const btf = new Btf(kvm().file());
    expect(btf.isEmpty).toBe(false);
    expect(btf.offsets('kvm_vcpu', 'arch.gprs')).toEqual([56]);
    expect(btf.offsets('kvm_vcpu', 'arch.csr->csrs')).toEqual([416, 8]);
    expect(btf.offsets('kvm_vcpu', 'arch.host_sp->-320')).toEqual([316, -320]);
    expect(() => btf.offsets('kvm_vcpu', 'arch.nothing')).toThrow("'arch.nothing': there is no member nothing");
    expect(() => btf.offsets('kvm_vcpu', 'arch.pc->x')).toThrow(/is no pointer to a structure/);
    expect(() => btf.offsets('kvm', 'arch')).toThrow('the BTF has no structure kvm');
    expect(new Btf(new Uint8Array(200)).isEmpty).toBe(true);
  });

  test('KVM’s offsets are those of the kernel’s own file', () => {
    const recognition = new Recognition(undefined);
    const names = ['kvm_enter_guest', 'kvm_exc_entry'];
    const symbols = { address: (n: string) => (names.includes(n) ? 1n : undefined), names: () => names };
    recognition.offer(symbols, kvm().file(), 'vmlinux');
    const { descriptor } = recognition;
    expect(descriptor?.source).toBe('offsets from the debug information of vmlinux');
    expect(descriptor?.contexts).toMatchObject({
      gpr: '56',
      pc: '336',
      csr: { at: '416->8' },
      host: { at: '316->-320' },
    });
  });

  test('damage is an error of its own, and ends', () => {
    const good = kvm().file();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }), (bytes) => {
        const bad = Uint8Array.from(good);
        for (const [at, value] of bytes) bad[256 + (at % (bad.length - 256))] = value;
        try {
          new Btf(bad).offsets('kvm_vcpu', 'arch.csr->csrs');
        } catch (error) {
          expect((error as Error).message).toMatch(/^the BTF (is damaged|has no structure)|no member|no pointer/);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
