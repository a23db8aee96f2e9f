/** Members of structures, from the debug information that compilers write. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execaSync } from 'execa';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { elfSections } from '../../src/emu/boot/elf-sections.ts';
import { Dwarf } from '../../src/hv/awareness/dwarf.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-dwarf-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SOURCE = `
typedef unsigned long u64;
struct bank;
struct other { u64 first; struct bank *bank; };
struct bank { u64 skipped[3]; u64 csrs[8]; };
typedef struct { u64 gpr[32]; u64 pc; } context;
struct arch { char name[16]; const volatile context saved; struct bank *csr; };
struct vcpu {
  int number;
  union { u64 raw; struct { u64 low, high; }; };
  struct arch arch;
  struct other *other;
} vcpu;
struct other use(struct vcpu *v) { return *v->other; }
`;

/** Compiles the source with a form of debug information. */
function compiled(...flags: string[]): Uint8Array {
  const [source, object] = [join(folder, 'a.c'), join(folder, 'a.o')];
  writeFileSync(source, SOURCE);
  execaSync('clang-19', ['--target=loongarch64-unknown-linux-gnusf', '-c', '-O1', source, '-o', object, ...flags]);
  // Linked, so that the references between sections are in place.
  const program = join(folder, 'a.elf');
  execaSync('ld.lld-19', ['-e', 'use', object, '-o', program]);
  return new Uint8Array(readFileSync(program));
}

describe('members of structures', () => {
  test.each([[['-gdwarf-5']], [['-gdwarf-4']], [['-gdwarf-5', '-gz=zlib']]])('%j', (flags) => {
    const dwarf = new Dwarf(compiled(...flags));
    expect(dwarf.isEmpty).toBe(false);
    expect(dwarf.offsets('vcpu', 'number')).toEqual([0]);
    expect(dwarf.offsets('vcpu', 'arch.saved.pc')).toEqual([24 + 16 + 256]);
    // A member of a union and a structure without names.
    expect(dwarf.offsets('vcpu', 'high')).toEqual([16]);
    expect(dwarf.offsets('vcpu', 'arch.csr->csrs')).toEqual([24 + 16 + 264, 24]);
    expect(dwarf.offsets('vcpu', 'other->bank->csrs')).toEqual([24 + 16 + 264 + 8, 8, 24]);
    expect(dwarf.offsets('vcpu', 'other->-8')).toEqual([24 + 16 + 264 + 8, -8]);
    expect(() => dwarf.offsets('vcpu', 'arch.saved.sp')).toThrow(
      "'arch.saved.sp': there is no member sp in the structure",
    );
    expect(() => dwarf.offsets('vcpu', 'number->x')).toThrow(
      "'number->x': what is before '->x' is no pointer to a structure",
    );
    expect(() => dwarf.offsets('vcp', 'number')).toThrow('the debug information has no structure vcp');
  });

  test('a file without debug information has none', () => {
    expect(new Dwarf(compiled('-g0')).isEmpty).toBe(true);
    expect(new Dwarf(new Uint8Array(100)).isEmpty).toBe(true);
  });

  test('damaged debug information is an error of its own, and ends', () => {
    const good = compiled('-gdwarf-5');
    const places = elfSections(good).filter((s) => s.name.startsWith('.debug'));
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }),
        (n, bytes) => {
          const bad = good.slice();
          const { data } = places[n % places.length]!;
          for (const [at, value] of bytes) bad[data.byteOffset - good.byteOffset + (at % data.length)] = value;
          try {
            expect(new Dwarf(bad).offsets('vcpu', 'other->bank->csrs')).toHaveLength(3);
          } catch (error) {
            expect((error as Error).message).toMatch(
              /^the debug information (is damaged|has no structure)|there is no member|is no pointer to a structure/,
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
