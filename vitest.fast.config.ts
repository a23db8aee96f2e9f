/**
 * The fast tests: they need Node and the npm packages alone, no program that is built or downloaded, on every system.
 * `npm run test:fast`; all tests are `npm test`.
 */
import { defineConfig, mergeConfig } from 'vitest/config';
import all from './vitest.config.ts';

const FAST = [
  'test/board/{ahci,boot,chip,firmware-devices,interrupts,qemu-tree,registers,rtc,tables,uart,virtio*}.test.ts',
  'test/cli/{completion,doctor,explain,messages}.test.ts',
  'test/cpu/{corners,cpucfg,csr,entry-return,exceptions,links,priority,watchpoints}.test.ts',
  'test/debug/{code-match,event-history,last-translations,remarks,runtime,rust-names,table-listing,vms}.test.ts',
  'test/difftest/recorded.test.ts',
  'test/docs/{glossary,languages,open-questions,option-pages}.test.ts',
  'test/engine/alignment.test.ts',
  'test/isa/{extensions,mnemonics,oracle,semantics,table,vector}.test.ts',
  'test/lvz/injection.test.ts',
  'test/mmu/{address-modes,fast-tlb,invalidation,page-walk,tlb-changes}.test.ts',
];

const fast = mergeConfig(all, defineConfig({ test: { testTimeout: 30_000 } }));
export default { ...fast, test: { ...fast.test, include: FAST } };
