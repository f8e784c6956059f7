#!/bin/bash
# The container image: what is sent to its build, the Dockerfile, the compose file and what docs/ says of it. buildah builds
# it, as Docker would; an image of Alpine can't be had everywhere, so it is built in one that has this machine's compiler, with
# musl, and whose `apk` only listens.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
. "$top/tests/lib/package.sh"
program=${OGW_PROGRAM:-$top/_build/src/ocserv-gateway}
compose=$top/packaging/container/compose.yaml
# Those that speak of containers.
documents=("$top"/docs/*.md)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

logged() {	# COMMAND...: shows the end of what it said only where it fails
	"$@" >"$work/log" 2>&1 && return
	tail -n 30 "$work/log"
	return 1
}

image() {	# COMMAND OPTION...: of buildah, with a storage of its own
	local command=$1
	shift
	buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$command" "$@"
}

# Which files of the tree a build is sent
sent() {
	rm -rf "$work/sent"
	printf 'FROM scratch\nCOPY . /\n' >"$work/all"
	image bud --quiet --isolation chroot -f "$work/all" -o "$work/sent" "$tree" >"$work/log" 2>&1 || cat "$work/log"
	(cd "$work/sent" && find . ! -type d -printf '%P\n' | LC_ALL=C sort)
}

# A build in the sources, and what lies about where somebody runs the containers
use_tree() {
	(cd "$tree" && ./autogen.sh && ./configure --quiet CFLAGS=-O0 --with-systemdsystemunitdir=/usr/lib/systemd/system &&
		make --quiet -j2 all && mkdir -p .git {.,packaging/container}/config &&
		touch .git/HEAD {.,packaging/container}/{config/server-key.pem,config/gateway.ini,.env} src/main.c~)
}

# Like azinchen/ocserv-server: its services, without its programs
base_image() {
	local root=$work/base/root
	mkdir -p "$root"/{usr,tmp,listens,etc/s6-overlay/s6-rc.d/svc-ocserv}
	ln -s usr/{bin,sbin,lib,lib64} "$root/"
	# shellcheck disable=SC2016 # it is the image's shell that expands it
	printf '#!/bin/sh\nfor word; do echo "apk: $word"; done\n' >"$root/listens/apk"
	chmod +x "$root/listens/apk"
	echo longrun >"$root/etc/s6-overlay/s6-rc.d/svc-ocserv/type"
	printf init-nat >"$root/etc/s6-overlay/s6-rc.d/svc-ocserv/dependencies"
	{
		printf 'FROM scratch\nCOPY root /\nENV PATH=/listens:/usr/sbin:/usr/bin CFLAGS=-O0\n'
		"$top/tests/musl/build" --environment "$work/musl" | sed 's/\([^=]*\)=\(.*\)/ENV \1="\2"/'
	} >"$work/base/Dockerfile"
	image bud --isolation chroot -t localhost/ocserv "$work/base"
}

built() {	# OPTION...
	image bud --layers --isolation chroot --build-arg OCSERV_IMAGE=localhost/ocserv --volume /usr:/usr:ro \
		--volume /etc/alternatives:/etc/alternatives:ro --volume "$work/musl:$work/musl:ro" -t localhost/ocserv-gateway \
		-f "$tree/packaging/container/Dockerfile" "$@" "$tree" >"$work/built" 2>&1 || { tail -n 30 "$work/built"; return 1; }
}

# The image's files; there is nothing in it that a program could be linked with.
image_up() {
	root=$(image mount "$(image from localhost/ocserv-gateway)") && [ ! -e "$root/usr/lib" ]
}

compose_is_valid() {
	python3 - "$compose" "${documents[@]}" <<-'END'
		import ipaddress, os, re, sys, textwrap, yaml
		compose, documents = sys.argv[1], sys.argv[2:]
		tree = yaml.safe_load(open(compose))
		services = tree["services"]
		subnets = {name: ipaddress.ip_network(of["ipam"]["config"][0]["subnet"]) for name, of in tree["networks"].items()}
		own = {"build", "image"}

		def environment(service):
		    given = service.get("environment", {})
		    return given if isinstance(given, dict) else dict(each.split("=", 1) for each in given)

		def setting(service, name):
		    given = service.get("sysctls", {})
		    return (given if isinstance(given, dict) else dict(each.split("=") for each in given)).get(name)

		def check_service(name, service, where):
		    assert name in services, f"{where}: there is no service {name} in compose.yaml"
		    assert own & set(service), f"{where}: {name} has no image"
		    assert service["cap_add"] == ["NET_ADMIN"] and service["devices"] == ["/dev/net/tun"], f"{where}: {name}"
		    assert str(setting(service, "net.ipv4.ip_forward")) == "1", f"{where}: {name} does not forward"
		    for network, of in service["networks"].items():
		        assert ipaddress.ip_address(of["ipv4_address"]) in subnets[network], f"{where}: {name}"
		    if name == "ocserv":
		        assert service["ports"] == ["443:443/tcp", "443:443/udp"], f"{where}: nobody can reach {name}"
		        acts = [each for each in environment(service) if each.startswith("VPN_GATEWAY")]
		        assert not acts, f"{where}: the image acts on {acts} itself"
		        assert "./config:/etc/ocserv" in service["volumes"], f"{where}: {name} has no configuration"
		    else:
		        assert environment(service)["FORWARD_FROM"] == str(subnets["vpnnet"]), f"{where}: {name}"

		# Each indented block of a document that is a service, or more of them
		def blocks(text):
		    for block in re.findall(r"(?:^ {4,}\S.*\n(?:\n(?= {4}))?)+", text, re.M):
		        try:
		            found = yaml.safe_load(textwrap.dedent(block))
		        except yaml.YAMLError:
		            continue
		        if isinstance(found, dict):
		            yield found.get("services", found)

		for name, service in services.items():
		    check_service(name, service, "compose.yaml")
		build = services["ocserv"]["build"]
		context = os.path.join(os.path.dirname(compose), build["context"])
		assert os.path.exists(os.path.join(context, build["dockerfile"])), build
		assert os.path.exists(os.path.join(context, ".dockerignore")), context
		checked = 0
		for document in documents:
		    text = open(document).read()
		    for block in blocks(text):
		        for name, service in block.items():
		            if isinstance(service, dict) and {"cap_add", "networks"} & set(service):
		                check_service(name, service, document)
		                checked += 1
		for file in [compose, *documents]:
		    text = open(file).read()
		    for command, name in re.findall(r"docker (compose exec|compose logs|exec|logs|stop)((?: -\S+)* [a-z][a-z_-]*)", text):
		        assert command.startswith("compose"), f"{file}: docker {command}: of the compose file, so docker compose {command}"
		        assert name.split()[-1] in services, f"{file}: docker {command}{name}"
		assert checked >= 2, checked
	END
}

# The gateway.ini of its comment, with the gateway's address there.
compose_configuration() {
	sed -n '/^#   \[clients\]/,/^#$/s/^#   //p' "$compose" >"$work/gateway.ini"
	chmod 600 "$work/gateway.ini"
	unshare -n "$program" -c "$work/gateway.ini" check -v 2>/dev/null | grep -q '^address4 *= 172.28.0.2 '
}

must "the sources are copied" copy_tree "$top" "$tree"
clean=$(sent)
like "$clean" src/main.c "sources are sent"
ok "there is a build in them, too" logged use_tree
is "$(sent)" "$clean" "neither its products are sent, nor keys"

must "an image of ocserv" logged base_image
ok "the Dockerfile builds" built
ok "libraries of Alpine that it asks for" grep -qx 'apk: libmnl-static' "$work/built"
must "the image has nothing but the program" image_up
is "$(chroot "$root" /usr/sbin/ocserv-gateway --version)" "$("$program" --version)" "it needs no library"
like "$(readelf --dynamic --program-headers --file-header "$root/usr/sbin/ocserv-gateway")" \
	'DYN \(Position-Independent.*GNU_RELRO.*BIND_NOW' "it is position-independent, its relocations are read-only"
ok "the hook for ocserv's firewall script is there" test -x "$root/usr/libexec/ocserv-gateway/ocserv-gateway-hook"
ok "so is what s6 runs" test -x "$root/etc/s6-overlay/s6-rc.d/init-ocserv-gateway/run"
is "$(<"$root/etc/s6-overlay/s6-rc.d/svc-ocserv/dependencies")" "init-nat
init-ocserv-gateway" "and ocserv waits for it"
not_ok "a service of ocserv that is not there: no image" built --build-arg OCSERV_SERVICE=ocserv
like "$(<"$work/built")" 'there is no service ocserv in /etc/s6-overlay/s6-rc.d' "which is told"

ok "compose.yaml is valid, and what docs/ says of it" compose_is_valid
ok "its gateway.ini is, too" compose_configuration
done_testing
