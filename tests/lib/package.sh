# shellcheck shell=bash
# The Debian package, built from the tree as it is.

# package_build DIRECTORY: builds there; sets $package to the file
package_build() {
	# What is in git, with what is not committed yet, and without what a build left.
	mkdir "$1/tree" &&
		(cd "$top" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf -) |
		tar -C "$1/tree" -xf - || return
	(cd "$1/tree" && ./autogen.sh && dpkg-buildpackage --build=binary --no-sign) >"$1/log" 2>&1 || {
		tail -n 40 "$1/log"
		return 1
	}
	package=$(echo "$1"/ocserv-gateway_*.deb)
}
