/** The registers of the board's devices, for docs/board.md and for the check that each answers as declared. */
import { CHIP_REGISTERS, IOCSR_REGISTERS } from '../devices/chip-config.ts';
import { EIOINTC_REGISTERS } from '../devices/eiointc.ts';
import { FW_CFG_REGISTERS } from '../devices/fw-cfg.ts';
import { GED_REGISTERS } from '../devices/ged.ts';
import { IPI_REGISTERS } from '../devices/ipi.ts';
import { RTC_REGISTERS } from '../devices/ls7a-rtc.ts';
import { PCH_MSI_REGISTERS } from '../devices/pch-msi.ts';
import { PCH_PIC_REGISTERS } from '../devices/pch-pic.ts';
import type { RegisterTable } from '../devices/register-table.ts';
import { UART_REGISTERS } from '../devices/uart16550.ts';

/** Registers of the IOCSR space, which each CPU has its own view of. */
export const IOCSR_TABLES: readonly RegisterTable[] = [IOCSR_REGISTERS, IPI_REGISTERS, EIOINTC_REGISTERS];

/** Registers of the IOCSR space that only the ls3a5000 board has. */
export const CHIP_TABLES: readonly RegisterTable[] = [CHIP_REGISTERS];

/** Registers of memory-mapped devices. The first word of `device` is the name of a device of the board. */
export const DEVICE_TABLES: readonly RegisterTable[] = [
  PCH_PIC_REGISTERS,
  PCH_MSI_REGISTERS,
  UART_REGISTERS,
  RTC_REGISTERS,
  GED_REGISTERS,
  FW_CFG_REGISTERS,
];

export const REGISTER_TABLES: readonly RegisterTable[] = [...IOCSR_TABLES, ...CHIP_TABLES, ...DEVICE_TABLES];
