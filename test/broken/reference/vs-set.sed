# cpu.c: ECFG.VS is set, and one handler serves all causes
s/IS_TIMER | IS_IPI)/3 << 16 | IS_TIMER | IS_IPI)/
