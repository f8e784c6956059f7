# shellcheck shell=bash
# A program on the server that answers, and clients that ask it. Needs ocserv.sh.

# The addresses of the server that a client reaches through the tunnel.
addresses=("$SERVER_VPN4" "$SERVER_ETH1_4" "$SERVER_VPN6")

# resolver PORT: answers whatever it is asked, by UDP and TCP, on each of them, also before they are there
resolver() {
	exec ip netns exec server python3 - "$1" 127.0.0.1 "${addresses[@]}" <<-'END'
		import selectors, socket, sys
		waiting = selectors.DefaultSelector()
		freebind = {socket.AF_INET: (socket.IPPROTO_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78)}
		for address in sys.argv[2:]:
		    family = socket.AF_INET6 if ":" in address else socket.AF_INET
		    for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
		        s = socket.socket(family, kind)
		        s.setsockopt(*freebind[family], 1)
		        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		        s.bind((address, int(sys.argv[1])))
		        if kind == socket.SOCK_STREAM:
		            s.listen()
		        waiting.register(s, selectors.EVENT_READ)
		while True:
		    for key, _ in waiting.select():
		        if key.fileobj.type == socket.SOCK_STREAM:
		            key.fileobj.accept()[0].sendall(b"answer\n")
		        else:
		            key.fileobj.sendto(b"answer\n", key.fileobj.recvfrom(64)[1])
	END
}

# ask udp|tcp ADDRESS PORT: from the first client; prints what comes back, "answer" or the error
ask() {
	client_exec client1 python3 - "$@" <<-'END'
		import socket, sys
		kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
		family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
		s = socket.socket(family, kind)
		s.settimeout(5)
		try:
		    s.connect((sys.argv[2], int(sys.argv[3])))
		    s.send(b"question") if kind == socket.SOCK_DGRAM else None
		    print(s.recv(64).decode().strip())
		except socket.timeout:
		    print("silence")
		except OSError as error:
		    print("refused:", error.strerror)
	END
}
