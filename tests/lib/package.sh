# shellcheck shell=bash
# Packages, built from the tree as it is.

# copy_tree TOP DIRECTORY: what is in git, with what is not committed yet, and without what a build left
copy_tree() {
	mkdir "$2" && (cd "$1" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf -) |
		tar -C "$2" -xf -
}

# package_build TOP DIRECTORY: builds the Debian package there; sets $package to the file
package_build() {
	copy_tree "$1" "$2/tree" || return
	(cd "$2/tree" && ./autogen.sh && dpkg-buildpackage --build=binary --no-sign) >"$2/log" 2>&1 || {
		tail -n 40 "$2/log"
		return 1
	}
	# shellcheck disable=SC2034 # for those who source this
	package=$(echo "$2"/ocserv-gateway_*.deb)
}
