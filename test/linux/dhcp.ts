/** How a guest's busybox joins the network of `--net user`. */

/** What busybox's DHCP client calls with an address. */
const LEASE = [
  '#!/bin/sh',
  '[ -z "$ip" ] || ifconfig $interface $ip netmask $subnet',
  '[ -z "$router" ] || route add default gw $router',
].join('\\n');
/** Gets an address from user networking. Its output is 1 when that was the usual one. */
export const DHCP = `printf '${LEASE}\\n' >/lease && chmod +x /lease && ifconfig lo up && ifconfig eth0 up && udhcpc -i eth0 -s /lease -q -n 2>&1 | grep -c 'lease of 10.0.2.15 obtained from 10.0.2.2'`;
