/** Names of Rust symbols. The expectations are those of LLVM's demangler for symbols of AxVisor and hvisor. */
import { describe, expect, test } from 'vitest';
import { decodePunycode } from '../../src/emu/formats/punycode.ts';
import { rustName } from '../../src/emu/formats/rust-names.ts';

describe('names of Rust symbols', () => {
  test.each([
    [
      '_RNvNtNtCsiB23mJM6aoV_4axvm7runtime5vcpus24queue_external_interrupt',
      'axvm::runtime::vcpus::queue_external_interrupt',
    ],
    [
      '_RNvMNtCsbCz7sajjNf8_14loongarch_vcpu4vcpuINtB2_13LoongArchVcpuNtNtNtCsiB23mJM6aoV_4axvm4arch11loongarch6420AxvmLoongArchHostOpsE9run_guestB14_',
      '<loongarch_vcpu::vcpu::LoongArchVcpu<axvm::arch::loongarch64::AxvmLoongArchHostOps>>::run_guest',
    ],
    ['_RNvYjNtNtCsg8n4KYVEEwd_4core3cmp3Ord3minB7_', '<usize as core::cmp::Ord>::min'],
    ['_RNCNvCsy3rRyvEQ0j_3log10set_logger0B3_', 'log::set_logger::{closure#0}'],
    ['_RINvNtCsg8n4KYVEEwd_4core3ptr4readAhj2_EB4_', 'core::ptr::read::<[u8; 2]>'],
    ['_RNvMNtNtCsg8n4KYVEEwd_4core3ptr9const_ptrPj4readB6_', '<*const usize>::read'],
    [
      '_RNvXs1g_NtCshCFnqOMQ5jh_4core3fmtRDNtB6_5DebugEL_Bx_3fmtB8_',
      '<&dyn core::fmt::Debug as core::fmt::Debug>::fmt',
    ],
    [
      '_RNvMs3_NtCshoJW099nnMB_5alloc7raw_vecINtB5_6RawVecTOhFUKCBN_EuENtNtCsfZx4zN0MHK7_3std5alloc6SystemE8grow_oneB13_',
      '<alloc::raw_vec::RawVec<(*mut u8, unsafe extern "C" fn(*mut u8)), std::alloc::System>>::grow_one',
    ],
    [
      '_RNvYNvYhNtNtCsg8n4KYVEEwd_4core5clone5Clone5cloneINtNtNtBa_3ops8function6FnOnceTRhEE9call_onceBa_',
      '<<u8 as core::clone::Clone>::clone as core::ops::function::FnOnce<(&u8,)>>::call_once',
    ],
    [
      '_RNvMNtCsg8n4KYVEEwd_4core5sliceSTjjFG_jQL0_NtNtNtNtCsfFIQq5sj14p_6hvisor4arch11loongarch644zone22LoongArch64ZoneContextEuE4iterBN_',
      "<[(usize, usize, for<'a> fn(usize, &'a mut hvisor::arch::loongarch64::zone::LoongArch64ZoneContext))]>::iter",
    ],
    [
      '_RINvMs_NtCsdsZncNugZvI_7ax_task10wait_queueNtB5_9WaitQueue10wait_untilRDINtNtNtCshCFnqOMQ5jh_4core3ops8function2FnuEp6OutputbEL_ECs9ggh9Iqjmny_10ax_runtime',
      '<ax_task::wait_queue::WaitQueue>::wait_until::<&dyn core::ops::function::Fn<(), Output = bool>>',
    ],
    [
      '_RNSNvYNCNvNtCsdsZncNugZvI_7ax_task9run_queue4init0INtNtNtCshCFnqOMQ5jh_4core3ops8function6FnOnceuE9call_once6vtableBa_',
      '<ax_task::run_queue::init::{closure#0} as core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}',
    ],
    ['_RNvCs3kZMi4NfUjK_6rdrive9CONTAINER.llvm.2039721534642579039', 'rdrive::CONTAINER'],
    // Constants, and names that are not ASCII.
    ['_RINvCs1234_7mycrate3fooKin5_Kb1_Kc61_E', "mycrate::foo::<-5, true, 'a'>"],
    ['_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y', 'utf8_idents::საჭმელად_გემრიელი_სადილი'],
    // The legacy mangling.
    ['_ZN4core3fmt9Formatter3pad17h0123456789abcdefE', 'core::fmt::Formatter::pad'],
    [
      '_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE',
      "<Test + 'static as foo::Bar<Test>>::bar",
    ],
  ])('%s', (symbol, name) => {
    expect(rustName(symbol)).toBe(name);
  });

  test.each([
    'main',
    '_run_guest',
    // C++.
    '_ZN4base3fooEv',
    '_ZN4base17h0123E',
    // Cut short, with a reference forwards, in a circle, with an unknown production, with too much nesting.
    '_RNvC3log',
    '_RNvB9_3foo',
    '_RNvB_3foo',
    '_RNvC3logZ',
    '_RINvC3log3fooL9_E',
    `_RINvC1a1b${'R'.repeat(1000)}uE`,
    '_R',
    '_RC',
    '_RCs_',
    '_ZN',
    '_ZN99999foo17h0123456789abcdefE',
  ])('%s stays', (symbol) => {
    expect(rustName(symbol)).toBe(symbol);
  });

  test('references cannot make a short symbol long', () => {
    // Each tuple repeats the one before it: 2^40 types.
    let symbol = '_RINvC1a1bTuuE';
    let last = symbol.indexOf('T') - 2;
    for (let n = 0; n < 40; n++) {
      const back = `B${last === 0 ? '' : base62(last - 1)}_`;
      last = symbol.length - 2;
      symbol += `T${back}${back}E`;
    }
    const began = performance.now();
    expect(rustName(`${symbol}E`)).toBe(`${symbol}E`);
    expect(performance.now() - began).toBeLessThan(500);
  });

  test('punycode that is none', () => {
    expect([decodePunycode('a_!'), decodePunycode('99999999')]).toEqual([undefined, undefined]);
  });
});

function base62(n: number): string {
  const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  return n < 62 ? digits[n]! : base62(Math.floor(n / 62)) + digits[n % 62]!;
}
