#!/bin/sh
# Runs the two programs against our TCP, in either role, and our TCP at both ends, over IPv4 and IPv6.
# Everything happens in a network namespace of its own, which vanishes at the end.
set -eu
cd "$(dirname "$0")"
if [ "${1-}" != inside ]; then
    exec unshare --net -- "$0" inside
fi

synfin=${SYNFIN:-synfin}
work=$(mktemp -d)
started=
trap 'kill $started 2>/dev/null || true; rm -rf "$work"' EXIT
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding

# expect NAME FILE TEXT: the file holds the text.
expect() {
    if grep -qF -- "$3" "$2"; then
        echo "ok $1"
    else
        echo "FAILED $1: expected \"$3\" in:"
        cat "$2"
        exit 1
    fi
}

# wait_for FILE TEXT: until the file holds the text, 5 s at most.
wait_for() {
    tries=0
    until grep -qF -- "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "FAILED: no \"$2\" in:"; cat "$1"; exit 1; }
        sleep 0.05
    done
}

# wait_for_listener: until a program of Linux's TCP listens on port 5000 (hexadecimal 1388, state 0A), 5 s at most.
wait_for_listener() {
    tries=0
    until grep -q ':1388 .* 0A ' /proc/net/tcp /proc/net/tcp6; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "FAILED: server.py does not listen"; exit 1; }
        sleep 0.05
    done
}

# round NAME OURS PREFIX LINUX OURS2: all roles over one IP version.
round() {
    # Ours serves, Python's connects.
    "$synfin" serve hello --port 5000 --address "$2/$3" >"$work/serve" 2>&1 &
    serve=$!
    started="$started $serve"
    wait_for "$work/serve" Serving
    python3 client.py "$2" 5000 >"$work/client"
    expect "$1: client.py hears our server" "$work/client" "server said: hello"
    wait_for "$work/serve" byebye
    expect "$1: our server hears client.py" "$work/serve" ": byebye"

    # Ours at both ends: two devices, Linux only forwards packets between them.
    printf byebye | "$synfin" connect "$2" 5000 --tun synfin1 --address "$5/$3" >"$work/connect"
    expect "$1: our client hears our server" "$work/connect" hello
    kill -INT "$serve"
    wait "$serve"

    # Python's serves, ours connects.
    python3 -u server.py "$6" 5000 >"$work/server" &
    server=$!
    started="$started $server"
    wait_for_listener
    printf byebye | "$synfin" connect "$4" 5000 --address "$2/$3" >"$work/connect"
    wait "$server"
    expect "$1: our client hears server.py" "$work/connect" hello
    expect "$1: server.py hears our client" "$work/server" "client said: byebye"
}

round IPv4 10.9.0.2 24 10.9.0.1 10.9.1.2 0.0.0.0
round IPv6 fd00:9::2 64 fd00:9::1 fd00:91::2 ::
