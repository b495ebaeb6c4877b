package redisstore

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// DefaultPrefix is the prefix of all keys, unless WithPrefix sets another.
const DefaultPrefix = "ginauth:"

// An Option is a setting of the stores that New makes. WithPrefix is one.
type Option func(*core)

// WithPrefix sets the prefix of all keys. Applications that share a server, or its
// database, need different prefixes, and no prefix may begin with another. The prefix must
// not contain braces, which select the slot in a cluster.
func WithPrefix(prefix string) Option { return func(c *core) { c.prefix = prefix } }

// New returns stores on the server, the Sentinel or the cluster of client. They use the
// connections of client and do not close it, so closing the set does nothing.
//
// The session store also implements stores.SessionIndex, and each store implements
// stores.Checker. None implements stores.Pruner, because the server deletes expired
// records. Names of rows, tokens and families are 32 lower-case hexadecimal digits. No other
// name is found or can be created. Times are stored to the microsecond. The address and the
// user agent of a session are truncated to 64 and 255 bytes.
//
// New sends no command. It panics if client is nil or an option is not valid.
func New(client redis.UniversalClient, options ...Option) stores.Set {
	if client == nil {
		panic("redisstore: New was given a nil client")
	}
	c := &core{client: client, prefix: DefaultPrefix}
	for _, option := range options {
		option(c)
	}
	if strings.ContainsAny(c.prefix, "{}") {
		panic(fmt.Sprintf("redisstore: the prefix %q contains a brace", c.prefix))
	}
	_, single := client.(*redis.Client)
	c.apart.Store(!single)
	return stores.Set{Sessions: &sessions{c}, Tokens: &tokens{c}, Limiter: &limiter{c}, Factors: &factors{c}, Identities: &identities{c}}
}

// core is what the stores of one client have in common.
type core struct {
	client redis.UniversalClient
	prefix string
	// apart means that no script can access two records, because they may be on two
	// servers.
	apart atomic.Bool
}

// splits reports whether the error means that the client, which looks like one of a
// single server, talks to several, as with a proxy in front of a cluster. The script was
// then not run. From then on no script accesses two records.
func (c *core) splits(err error, keys []string) bool {
	split := err != nil && len(keys) > 1 && redis.HasErrorPrefix(err, "CROSSSLOT")
	if split {
		c.apart.Store(true)
	}
	return split
}
