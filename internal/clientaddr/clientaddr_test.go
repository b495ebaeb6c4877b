package clientaddr_test

import (
	"net/netip"
	"testing"

	"github.com/ginauth/ginauth/internal/clientaddr"
)

func TestPrefix(t *testing.T) {
	for _, tt := range []struct{ name, remote, want string }{
		{"IPv4", "192.0.2.1", "192.0.2.1"},
		{"IPv4 and port", "192.0.2.1:4711", "192.0.2.1"},
		{"mapped IPv4", "::ffff:192.0.2.1", "192.0.2.1"},
		{"mapped IPv4 and port", "[::ffff:192.0.2.1]:80", "192.0.2.1"},
		{"mapped IPv4 in hexadecimal", "::ffff:c000:201", "192.0.2.1"},
		{"mapped IPv4 with a zone", "[::ffff:192.0.2.1%eth0]:80", "192.0.2.1"},
		{"IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"IPv6 and port", "[2001:db8:1:2:ffff::1]:443", "2001:db8:1:2::/64"},
		{"IPv6 in upper case", "2001:0DB8:0001:0002::", "2001:db8:1:2::/64"},
		{"IPv6 with a zone", "fe80::1%eth0", "fe80::/64"},
		{"IPv6 with a zone and port", "[fe80::2%eth1]:80", "fe80::/64"},
		{"IPv6 loopback", "::1", "::/64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := clientaddr.Prefix(tt.remote); !ok || got != tt.want {
				t.Errorf("Prefix(%q) = %q, %t; want %q", tt.remote, got, ok, tt.want)
			}
			checkWithoutPort(t, tt.remote, tt.want)
		})
	}
}

// garbage are texts that are not addresses. The last ones are the values of Gin
// and net/http for Unix sockets and tests.
var garbage = []string{
	"", " ", "192.0.2", "192.0.2.256", "192.0.02.1", "0x7f000001", "192.0.2.1:", "192.0.2.1:99999", "192.0.2.1:http",
	" 192.0.2.1", "192.0.2.1\n", "192.0.2.1, 192.0.2.2", "192.0.2.0/24", "[192.0.2.1]:80", "[::1]", "::1]:80", "2001:db8:::1",
	"::1%", "localhost", "localhost:80", ":80", "@", "/run/app.sock", "<nil>", "pipe", "unknown",
}

// checkWithoutPort checks that WithoutPort removes only the port.
func checkWithoutPort(t *testing.T, remote, want string) {
	t.Helper()
	host := clientaddr.WithoutPort(remote)
	same := host
	if host != remote {
		same += ":1"
	}
	if got, ok := clientaddr.Prefix(same); !ok || got != want {
		t.Errorf("WithoutPort(%q) = %q, whose key is %q, %t; want %q", remote, host, got, ok, want)
	}
}

func TestWithoutPort(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:4711": "192.0.2.1", "192.0.2.1": "192.0.2.1", "[2001:db8::1]:443": "[2001:db8::1]",
		"2001:db8::1": "2001:db8::1", "::1": "::1", "": "", ":": ":", "@": "@",
	} {
		if got := clientaddr.WithoutPort(remote); got != want {
			t.Errorf("WithoutPort(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestInvalidAddresses(t *testing.T) {
	for _, remote := range garbage {
		if key, ok := clientaddr.Prefix(remote); ok || key != "" {
			t.Errorf("Prefix(%q) = %q, %t", remote, key, ok)
		}
		if host := clientaddr.Host(remote); host != "" {
			t.Errorf("Host(%q) = %q", remote, host)
		}
	}
}

func TestHost(t *testing.T) {
	for _, tt := range []struct{ remote, want string }{
		{"192.0.2.1:4711", "192.0.2.1"},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1"},
		{"[2001:DB8::1]:80", "2001:db8::1"},
		{"fe80::1%eth0", "fe80::1"},
	} {
		if got := clientaddr.Host(tt.remote); got != tt.want {
			t.Errorf("Host(%q) = %q, want %q", tt.remote, got, tt.want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for _, tt := range []struct {
		addr string
		want bool
	}{
		{"127.0.0.1", true},
		{"127.255.255.254", true},
		{"::1", true},
		{"::1%lo", true},
		{"::ffff:127.0.0.1", true},
		{"::ffff:127.0.0.1%lo", true},
		{"128.0.0.1", false},
		{"0.0.0.0", false},
		{"::", false},
		{"::2", false},
		{"::127.0.0.1", false},
		{"10.0.0.1", false},
		{"::ffff:10.0.0.1", false},
		{"fe80::1%lo", false},
	} {
		if got := clientaddr.Loopback(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("Loopback(%q) = %t", tt.addr, got)
		}
	}
	if clientaddr.Loopback(netip.Addr{}) {
		t.Error("the zero Addr is a loopback address")
	}
}

func FuzzPrefix(f *testing.F) {
	for _, seed := range garbage {
		f.Add(seed)
	}
	for _, seed := range []string{"192.0.2.1:80", "[::ffff:127.0.0.1%a]:80", "fe80::1%eth0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		key, ok := clientaddr.Prefix(remote)
		addr, parsed := clientaddr.Parse(remote)
		if ok != parsed || ok == (key == "") {
			t.Fatalf("Prefix(%q) = %q, %t", remote, key, ok)
		}
		if !ok {
			return
		}
		checkWithoutPort(t, remote, key)
		if again, ok := clientaddr.Prefix(addr.String()); !ok || again != key {
			t.Errorf("Prefix(%q) = %q, and of its address %q, %t", remote, key, again, ok)
		}
	})
}
