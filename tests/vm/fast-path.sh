#!/bin/bash
# hand
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
begin
ini gateway.fast_path=yes
time program --dry-run up; echo "$out" | head -30; echo "$err"
program up
echo "$status $out $err"
nft list flowtables
nft list chain inet ocserv_gw fast_path
program up; echo "$status $out $err"
hook connect; echo "$status $out $err"
ip link add vpns2 type veth peer name vpns2 netns outside; ip link set vpns2 up
hook connect DEVICE=vpns2 IP_REMOTE=10.20.0.52 IPV6_REMOTE= ID=77; echo "$status $out $err"
nft list flowtables
hook connect DEVICE=vpns2 IP_REMOTE=10.20.0.52 IPV6_REMOTE= ID=77; echo "$status $out $err"
program up; echo "$status $out $err"
ip link del vpns2
nft add flowtable inet ocserv_gw fast '{ hook ingress priority filter; devices = { eth1 }; }'
nft delete flowtable inet ocserv_gw fast '{ hook ingress priority filter; devices = { eth0 }; }'
nft list flowtables
program --dry-run up; echo "$out"
program --dry-run --diff up; echo "$out"
hook connect; echo "$status $out $err"
nft list flowtables
nft flush ruleset
hook connect; echo "$status $out $err"
nft list flowtables
ini gateway.fast_path=auto
program up; echo "$status $out $err"
ini gateway.fast_path=no
program up; echo "$status $out $err"
nft list flowtables
ini gateway.fast_path=auto
hook connect; echo "$status $out $err"
program status; echo "$status $out $err"
program up; echo "$status $out $err"
nft list flowtables
hook connect; echo "$status $out $err"
program status; echo "$status $out $err"
program down;echo "$status $out $err"
