/* What the benchmark kernels share. They run on the bare board, here and on QEMU, and as guests: `main` returns a number that
 * all engines must agree on. */
#ifndef BENCH_H
#define BENCH_H

#define BENCH_UART 0x1fe001e0
#define BENCH_POWER 0x100e001c
#define BENCH_POWER_OFF 0x34

#ifndef __ASSEMBLER__
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

u64 bench_main(void);
#endif
#endif
