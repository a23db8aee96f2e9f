/** Values of QEMU options: commas, switches, JSON, and what nobody has asked for. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Properties, splitCommas } from '../../../src/cli/qemu/properties.ts';

describe('values of options', () => {
  test('two commas are one in a value', () => {
    expect(splitCommas('file=a,,b.img,if=none')).toEqual(['file=a,b.img', 'if=none']);
    expect(splitCommas('a,,,b')).toEqual(['a,', 'b']);
    expect(splitCommas('virt,')).toEqual(['virt', '']);
  });

  test('every value survives, when its commas are doubled', () => {
    const text = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const p = new Properties('-x', `a=${a.replaceAll(',', ',,')},b=${b.replaceAll(',', ',,')}`);
        expect([p.get('a'), p.get('b')]).toEqual([a, b]);
        p.done();
      }),
    );
  });

  test('a word is a switch, with no before it for off', () => {
    const p = new Properties('-x', 'first,server,nowait,readonly=on,flag=false', 'type');
    expect([p.get('type'), p.flag('server'), p.flag('wait', true), p.flag('readonly'), p.flag('flag', true)]).toEqual([
      'first',
      ...[true, false, true, false],
    ]);
    p.done();
  });

  test('JSON, as libvirt writes it', () => {
    const p = new Properties('-device', '{"driver":"virtio-blk-pci","a":{"b":7},"ro":true}', 'driver');
    expect([p.get('driver'), p.get('a.b'), p.flag('ro')]).toEqual(['virtio-blk-pci', '7', true]);
    expect(() => new Properties('-device', '{"driver"')).toThrow(/qemu: -device: begins with a brace, and is no JSON/);
  });

  test('what nobody has asked for is named', () => {
    const p = new Properties('-x', 'a=1,b=2');
    p.get('a');
    expect(() => p.done()).toThrow("qemu: -x: 'b=2' is not understood: leave it out");
  });

  test.each([
    ['flag', () => new Properties('-x', 'a=maybe').flag('a'), /a=maybe is neither on nor off/],
    ['integer', () => new Properties('-x', 'a=1x').integer('a', 0, 9), /'1x' is not a whole number from 0 to 9/],
    ['size', () => new Properties('-x', 'a=big').size('a'), /'big' is not a size/],
    ['need', () => new Properties('-x', 'b=1').need('a', 'a=NAME'), /a= is missing: add a=NAME/],
  ])('%s', (_, body, message) => {
    expect(body).toThrow(message);
  });
});
