# vcpu.c: the guest CSR bank is not loaded when a vCPU gets it
/^  _load_guest_csrs(v);/d
