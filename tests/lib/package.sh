# shellcheck shell=bash
# Packages, built from the tree as it is.

# copy_tree TOP DIRECTORY: what is in git, with what is not committed yet, and without what a build left
copy_tree() {
	mkdir "$2" && (cd "$1" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf -) |
		tar -C "$2" -xf -
}

# package_build TOP DIRECTORY [DEB_BUILD_OPTIONS]: builds the Debian package there; sets $package to the file, which
# OGW_PACKAGE may name instead
package_build() {
	package=${OGW_PACKAGE:-}
	[ -z "$package" ] || return 0
	copy_tree "$1" "$2/tree" || return
	(cd "$2/tree" && ./autogen.sh && DEB_BUILD_OPTIONS=${3:-} dpkg-buildpackage --build=binary --no-sign) >"$2/log" 2>&1 || {
		tail -n 40 "$2/log"
		return 1
	}
	# shellcheck disable=SC2034 # for those who source this
	package=$(echo "$2"/ocserv-gateway_*.deb)
}

# package_next DIRECTORY: makes the next version of $package there, with the same in it; sets $next to the file
package_next() {
	dpkg-deb --raw-extract "$package" "$1/next" &&
		sed -i 's/^Version: .*/&+next/' "$1/next/DEBIAN/control" || return
	# shellcheck disable=SC2034 # for those who source this
	next=$1/next.deb
	dpkg-deb --root-owner-group --build "$1/next" "$next"
}

# layer_files LAYER LOWER [PATH...]: what an overlay's upper layer adds to and hides of LOWER, except below each PATH, sorted.
# The layer has what this mount alone wrote: others may change the file system below it meanwhile.
layer_files() {
	local layer=$1 lower=$2 type each path
	shift 2
	find "$layer" -mindepth 1 -printf '%y /%P\n' | sort -k 2 | while read -r type each; do
		for path; do
			[[ $each/ != "$path"/* ]] || continue 2
		done
		[ "$type" = d ] && [ -d "$lower$each" ] || echo "$each"
	done
}
