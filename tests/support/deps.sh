#!/bin/sh
# Install the Debian packages that are missing: deps.sh demo|check|bench
set -eu

build="gcc make libc6-dev pkg-config libevent-dev libc-ares-dev liblmdb-dev
	libpcre2-dev libssl-dev libseccomp-dev"
mail="postfix postfix-lmdb postfix-pcre rbldnsd python3"
tests="libcmocka-dev clang libclang-rt-dev clang-format clang-tidy cppcheck
	valgrind mandoc procps iproute2 python3-pytest python3-pytest-xdist
	git lmdb-utils openssl systemd haproxy fail2ban pflogsumm nftables
	ipset prometheus chromium chromium-driver
	fonts-dejavu-core"

case "${1:-}" in
demo) wanted="$build $mail" ;;
check) wanted="$build $mail $tests" ;;
bench) wanted="$build $mail iproute2 util-linux linux-perf strace" ;;
*)
	echo "usage: deps.sh demo|check|bench" >&2
	exit 2
	;;
esac

is_there() {
	dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed$'
}

missing=
for package in $wanted; do
	is_there "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "These packages are missing; install them as root:$missing" >&2
	exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# A Postfix that is only here to be tested must not open port 25.
case "$missing" in
*postfix*)
	apt-get -qq -y --no-install-recommends install debconf >/dev/null
	echo "postfix postfix/main_mailer_type select No configuration" |
		debconf-set-selections
	;;
esac
# Nor must anything else begin to serve, now or after the next boot: what is
# installed here is started by tests, with files of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
# shellcheck disable=SC2086 # a list of words
apt-get -qq -y --no-install-recommends install $missing >/dev/null
# Postfix and rbldnsd stay down as long as nobody configures them.
case "$missing" in
*haproxy*) update-rc.d haproxy disable ;;
esac
case "$missing" in
*fail2ban*) update-rc.d fail2ban disable ;;
esac
# Only its promtool is wanted.
case "$missing" in
*prometheus*) update-rc.d prometheus disable ;;
esac
