/* The guest: two levels of tables of its own, pages of 4 KiB, and a refill handler. Its addresses are guest-virtual from enable on. */
#include "csr.h"

#define DIRECTORY 0x300000        /* guest-physical addresses */
#define TABLE_CODE 0x301000
#define TABLE_DATA 0x302000
#define CODE 0x200000
#define DATA 0x310000
#define DATA_VA 0x10000000        /* guest-virtual: entry 128 of the directory */
#define PAGE_RAM 0x193            /* valid, writable, cached */
#define GEOMETRY (12 | 9 << 5 | 21 << 10 | 9 << 15)

  .section .guest, "ax"
  .globl guest
guest:
  li.w $t0, DIRECTORY
  li.w $t1, TABLE_CODE
  st.d $t1, $t0, 8                /* 2 MiB from 0x200000 */
  li.w $t1, TABLE_DATA
  st.d $t1, $t0, 8 * 128          /* 2 MiB from DATA_VA */
  li.w $t0, TABLE_CODE
  li.w $t1, CODE | PAGE_RAM
  st.d $t1, $t0, 0                /* this page */
  li.w $t1, (CODE + 0x2000) | PAGE_RAM
  st.d $t1, $t0, 8 * 2            /* and that of guest_vector */
  li.w $t0, TABLE_DATA
  li.w $t1, DATA | PAGE_RAM
  st.d $t1, $t0, 0

  la.pcrel $t0, guest_vector
  csrwr $t0, CSR_EENTRY
  la.pcrel $t0, guest_refill      /* the guest runs at physical addresses still */
  csrwr $t0, CSR_TLBRENTRY
  li.w $t0, DIRECTORY
  csrwr $t0, CSR_PGDL
  li.w $t0, GEOMETRY
  csrwr $t0, CSR_PWCL
  csrwr $zero, CSR_PWCH
  li.w $t0, 12
  csrwr $t0, CSR_STLBPS

  li.w $t0, CRMD_PG
  li.w $t1, CRMD_PG | CRMD_DA
  csrxchg $t0, $t1, CSR_CRMD

  .globl guest_paged
guest_paged:
  li.w $t0, DATA_VA
  li.w $t1, 0x600d
  st.d $t1, $t0, 8
  ld.d $a0, $t0, 8
  hvcl 1
  hvcl 0

/* The guest's refill: a guest-virtual address that no entry of stage 1 has. */
  .balign 4096
  .globl guest_refill
guest_refill:
  csrwr $t0, CSR_TLBRSAVE
  csrrd $t0, CSR_PGD
  lddir $t0, $t0, 1
  ldpte $t0, 0
  ldpte $t0, 1
  tlbfill
  csrrd $t0, CSR_TLBRSAVE
  ertn

/* Every other exception of the guest is a mistake. */
  .balign 4096
  .globl guest_vector
guest_vector:
  csrrd $a0, CSR_ESTAT
  srli.d $a0, $a0, 16
  hvcl 2
