/** Control, variables, memory, constants and conversions. */
const Other = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCallIndirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32Load: 0x28,
  i64Load: 0x29,
  i32Load8S: 0x2c,
  i32Load8U: 0x2d,
  i32Load16S: 0x2e,
  i32Load16U: 0x2f,
  i64Load8S: 0x30,
  i64Load8U: 0x31,
  i64Load16S: 0x32,
  i64Load16U: 0x33,
  i64Load32S: 0x34,
  i64Load32U: 0x35,
  i32Store: 0x36,
  i64Store: 0x37,
  i64Store8: 0x3c,
  i32Store16: 0x3b,
  i64Store16: 0x3d,
  i64Store32: 0x3e,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32WrapI64: 0xa7,
  i64ExtendI32S: 0xac,
  i64ExtendI32U: 0xad,
  i64Extend8S: 0xc2,
  i64Extend16S: 0xc3,
  i64Extend32S: 0xc4,
} as const;

/** Operations that both integer types have. */
// biome-ignore format: opcode table
const Integer = {
  i32Eqz: 0x45, i32Eq: 0x46, i32Ne: 0x47, i32LtS: 0x48, i32LtU: 0x49, i32GtS: 0x4a, i32GtU: 0x4b, i32LeS: 0x4c,
  i32LeU: 0x4d, i32GeS: 0x4e, i32GeU: 0x4f,
  i64Eqz: 0x50, i64Eq: 0x51, i64Ne: 0x52, i64LtS: 0x53, i64LtU: 0x54, i64GtS: 0x55, i64GtU: 0x56, i64LeS: 0x57,
  i64LeU: 0x58, i64GeS: 0x59, i64GeU: 0x5a,
  i32Clz: 0x67, i32Ctz: 0x68, i32Add: 0x6a, i32Sub: 0x6b, i32Mul: 0x6c, i32DivS: 0x6d, i32DivU: 0x6e, i32RemS: 0x6f,
  i32RemU: 0x70, i32And: 0x71, i32Or: 0x72, i32Xor: 0x73, i32Shl: 0x74, i32ShrS: 0x75, i32ShrU: 0x76, i32Rotr: 0x78,
  i64Clz: 0x79, i64Ctz: 0x7a, i64Add: 0x7c, i64Sub: 0x7d, i64Mul: 0x7e, i64DivS: 0x7f, i64DivU: 0x80, i64RemS: 0x81,
  i64RemU: 0x82, i64And: 0x83, i64Or: 0x84, i64Xor: 0x85, i64Shl: 0x86, i64ShrS: 0x87, i64ShrU: 0x88, i64Rotr: 0x8a,
} as const;

/** WebAssembly opcode bytes that the back ends emit (WebAssembly Core Specification 2.0, section 5.4). */
export const Op = { ...Other, ...Integer } as const;

/** Operations that both integer types have, without the type. */
export type IntegerName = keyof typeof Integer extends infer K ? (K extends `i32${infer N}` ? N : never) : never;

/** The opcode of an integer operation for one of the types. */
export const integerOpcode = (ty: 'i32' | 'i64', name: IntegerName): number => Integer[`${ty}${name}`];

/** Floating-point opcodes. */
// biome-ignore format: opcode table
export const Float = {
  f64Load: 0x2b, f64Store: 0x39,
  f32Eq: 0x5b, f32Ne: 0x5c, f32Lt: 0x5d, f32Gt: 0x5e, f32Le: 0x5f, f32Ge: 0x60,
  f64Eq: 0x61, f64Ne: 0x62, f64Lt: 0x63, f64Gt: 0x64, f64Le: 0x65, f64Ge: 0x66,
  f32Abs: 0x8b, f32Neg: 0x8c, f32Ceil: 0x8d, f32Floor: 0x8e, f32Trunc: 0x8f, f32Nearest: 0x90, f32Sqrt: 0x91,
  f32Add: 0x92, f32Sub: 0x93, f32Mul: 0x94, f32Div: 0x95,
  f64Abs: 0x99, f64Neg: 0x9a, f64Ceil: 0x9b, f64Floor: 0x9c, f64Trunc: 0x9d, f64Nearest: 0x9e, f64Sqrt: 0x9f,
  f64Add: 0xa0, f64Sub: 0xa1, f64Mul: 0xa2, f64Div: 0xa3,
  i32TruncF32S: 0xa8, i32TruncF64S: 0xaa, i64TruncF32S: 0xae, i64TruncF64S: 0xb0,
  f32ConvertI32S: 0xb2, f32ConvertI64S: 0xb4, f32DemoteF64: 0xb6, f64ConvertI32S: 0xb7, f64ConvertI64S: 0xb9, f64PromoteF32: 0xbb,
  i32ReinterpretF32: 0xbc, i64ReinterpretF64: 0xbd, f32ReinterpretI32: 0xbe, f64ReinterpretI64: 0xbf,
} as const;

/**
 * SIMD instructions (WebAssembly Core Specification 2.0, section 5.4.9): the prefix byte 0xfd times 256 plus the number
 * after it.
 */
// biome-ignore format: opcode table
export const Simd = {
  f32x4Splat: 0xfd13, f32x4ExtractLane: 0xfd1f, f64x2ExtractLane: 0xfd21,
  v128Load: 0xfd00, v128Store: 0xfd0b, v128Const: 0xfd0c, i8x16Shuffle: 0xfd0d, i8x16Swizzle: 0xfd0e, f64x2Splat: 0xfd14,
  f32x4Eq: 0xfd41, f32x4Ne: 0xfd42, f32x4Lt: 0xfd43, f32x4Le: 0xfd45, f64x2Eq: 0xfd47, f64x2Ne: 0xfd48, f64x2Lt: 0xfd49, f64x2Le: 0xfd4b, f64x2Ge: 0xfd4c,
  v128Not: 0xfd4d, v128And: 0xfd4e, v128AndNot: 0xfd4f, v128Or: 0xfd50, v128Xor: 0xfd51, v128Bitselect: 0xfd52, v128AnyTrue: 0xfd53,
  i8x16Popcnt: 0xfd62, f32x4DemoteZero: 0xfd5e, f64x2PromoteLow: 0xfd5f,
  f32x4Neg: 0xfde1, f32x4Sqrt: 0xfde3, f32x4Add: 0xfde4, f32x4Sub: 0xfde5, f32x4Mul: 0xfde6, f32x4Div: 0xfde7,
  f64x2Abs: 0xfdec, f64x2Neg: 0xfded, f64x2Sqrt: 0xfdef, f64x2Add: 0xfdf0, f64x2Sub: 0xfdf1, f64x2Mul: 0xfdf2, f64x2Div: 0xfdf3,
} as const;

/**
 * SIMD operations on integer elements: the place of each operation in the block of an element width of 8, 16, 32 or
 * 64 bits.
 */
// biome-ignore format: opcode table
export const LANES = {
  abs: 0x00, neg: 0x01, allTrue: 0x03, bitmask: 0x04, extendLowS: 0x07, extendHighS: 0x08, extendLowU: 0x09, extendHighU: 0x0a,
  shl: 0x0b, shrS: 0x0c, shrU: 0x0d, add: 0x0e, addSatS: 0x0f, addSatU: 0x10, sub: 0x11, subSatS: 0x12, subSatU: 0x13,
  mul: 0x15, minS: 0x16, minU: 0x17, maxS: 0x18, maxU: 0x19,
} as const;
const LANES_BLOCK = 0xfd60;
const LANES_STRIDE = 0x20;

/** The opcode of an operation on elements of 8 << `log` bits. */
export const laneOpcode = (log: number, name: keyof typeof LANES): number =>
  LANES_BLOCK + LANES_STRIDE * log + LANES[name];

/** SIMD operations that have one number for each element width: 8, 16, 32 and 64 bits. */
// biome-ignore format: opcode table
export const SimdByWidth = {
  splat: [0xfd0f, 0xfd10, 0xfd11, 0xfd12],
  extractS: [0xfd15, 0xfd18, 0xfd1b, 0xfd1d], extractU: [0xfd16, 0xfd19, 0xfd1b, 0xfd1d], replace: [0xfd17, 0xfd1a, 0xfd1c, 0xfd1e],
  eq: [0xfd23, 0xfd2d, 0xfd37, 0xfdd6],
  ltS: [0xfd25, 0xfd2f, 0xfd39, 0xfdd8], leS: [0xfd29, 0xfd33, 0xfd3d, 0xfdda], geS: [0xfd2b, 0xfd35, 0xfd3f, 0xfddb],
  // Doublewords have no such operations.
  ltU: [0xfd26, 0xfd30, 0xfd3a], leU: [0xfd2a, 0xfd34, 0xfd3e],
} as const;

/** Atomic instructions (WebAssembly threads proposal): the prefix byte times 256 plus the number after it. */
export const Atomic = {
  fence: 0xfe03,
  i64CompareExchange: 0xfe49,
  i64CompareExchange8: 0xfe4c,
  i64CompareExchange16: 0xfe4d,
  i64CompareExchange32: 0xfe4e,
} as const;

/** Relaxed SIMD (WebAssembly Core Specification 3.0): the prefix byte times 4096 plus the number after it. */
export const Relaxed = { f32x4Madd: 0xfd105, f64x2Madd: 0xfd107 } as const;

/** Value type bytes. */
export const ValType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
/** Reference type byte of function tables. */
export const FUNCREF = 0x70;
export type Ty = keyof typeof ValType;

/** Block type byte for "no result". */
export const VOID_BLOCK = 0x40;
