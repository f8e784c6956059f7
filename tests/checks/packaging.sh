#!/bin/bash
# What is under packaging/: valid, of this version, and true of what is installed. Alpine and Docker are not here.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
. "$top/tests/lib/package.sh"
program=${OGW_PROGRAM:-$top/_build/src/ocserv-gateway}
alpine=$top/packaging/alpine/APKBUILD
docker=$top/packaging/container/Dockerfile
compose=$top/packaging/container/compose.yaml

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As abuild does it.
alpine_build() {
	export CBUILD CHOST pkgdir=$work/root
	CBUILD=$(gcc -dumpmachine)
	CHOST=$CBUILD
	(
		copy_tree "$top" "$work/tree" && cd "$work/tree" && ./autogen.sh || exit
		# shellcheck source=/dev/null
		. "$alpine" && build && package
	) >"$work/log" 2>&1 && return
	tail -n 20 "$work/log"
	return 1
}

installed() {
	local name
	for name; do
		[ -e "$work/root/$name" ] || { echo "$name is missing"; return 1; }
	done
}

# What the final stage of the Dockerfile copies out of /installed.
copied() {
	sed -n 's|^COPY --from=build /installed/\([^ ]*\) .*|\1|p' "$docker"
}

dockerfile_is_valid() {
	python3 - "$docker" <<-'END'
		import re, sys
		known = {"ARG", "FROM", "RUN", "COPY", "WORKDIR"}
		stages, text = [], open(sys.argv[1]).read().replace("\\\n", " ")
		for line in filter(None, (l.strip() for l in text.splitlines() if not l.startswith("#"))):
		    word, rest = line.split(None, 1)
		    assert word in known, line
		    if word == "FROM":
		        stages.append(re.search(r"(?: AS (\S+))?$", rest)[1])
		    for stage in re.findall(r"--from=(\S+)", rest):
		        assert stage in stages[:-1], line
		assert len(stages) == 2, stages
	END
}

compose_is_valid() {
	python3 - "$compose" <<-'END'
		import ipaddress, os, sys, yaml
		file = sys.argv[1]
		tree = yaml.safe_load(open(file))
		networks = {name: ipaddress.ip_network(of["ipam"]["config"][0]["subnet"]) for name, of in tree["networks"].items()}
		assert set(tree["services"]) == {"nordvpn", "ocserv"}
		for name, service in tree["services"].items():
		    assert ("image" in service) != ("build" in service), name
		    assert service["cap_add"] == ["NET_ADMIN"] and service["devices"] == ["/dev/net/tun"], name
		    assert service["sysctls"]["net.ipv4.ip_forward"] == "1", name
		    for network, of in service["networks"].items():
		        assert ipaddress.ip_address(of["ipv4_address"]) in networks[network], name
		build = tree["services"]["ocserv"]["build"]
		context = os.path.join(os.path.dirname(file), build["context"])
		assert os.path.exists(os.path.join(context, build["dockerfile"])), build
		assert "VPN_GATEWAY" not in tree["services"]["ocserv"]["environment"]
		assert tree["services"]["nordvpn"]["environment"]["FORWARD_FROM"] == str(networks["vpnnet"])
	END
}

# The gateway.ini of its comment, with the gateway's address there.
compose_configuration() {
	sed -n '/^#   \[clients\]/,/^$/s/^#   //p' "$compose" | sed '/^VPN_GATEWAY/,$d' >"$work/gateway.ini"
	chmod 600 "$work/gateway.ini"
	"$program" -c "$work/gateway.ini" check 2>/dev/null | grep -q '^address4 *= 172.28.0.2 '
}

is "$(sed -n 's/^pkgver=//p' "$alpine")" "$(sed -n 's/^AC_INIT(\[.*\], \[\(.*\)\])/\1/p' "$top/configure.ac")" \
	"APKBUILD is of this version"
ok "shellcheck APKBUILD" shellcheck --shell=dash --exclude=SC2034,SC2154 "$alpine"
ok "its functions build and install" alpine_build
ok "program, shim, man pages and completions are there" installed usr/sbin/ocserv-gateway \
	usr/libexec/ocserv-gateway/ocserv-gateway-hook usr/share/man/man8/ocserv-gateway.8 \
	usr/share/bash-completion/completions/ocserv-gateway.bash
ok "the Dockerfile is valid" dockerfile_is_valid
# shellcheck disable=SC2046 # names
ok "what it copies is installed" installed $(copied)
is "$(copied | wc -l)" 2 "which is two things"
ok "compose.yaml is valid" compose_is_valid
ok "its gateway.ini is, too" compose_configuration
done_testing
