package redisstore

import (
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// DefaultPrefix begins the name of every key, unless WithPrefix names another.
const DefaultPrefix = "ginauth:"

// An Option changes what New does.
type Option func(*core)

// WithPrefix sets what the name of every key begins with. Applications that
// share a server, or its database, need different prefixes, and none may begin
// with another. The prefix must not contain braces, which tell a cluster what
// belongs together.
func WithPrefix(prefix string) Option { return func(c *core) { c.prefix = prefix } }

// New returns stores on the server, the Sentinel or the cluster of client. They
// share its connections and do not close it, so Close on the set does nothing.
//
// The sessions also are a stores.SessionIndex, and each store is a
// stores.Checker. None is a stores.Pruner, because the server deletes what has
// expired. Names of rows, of tokens and of families are 32 lower-case
// hexadecimal digits; any other names nothing, and nothing can be created under
// it. Times are kept to the microsecond. The address and the user agent of a
// session are cut at 64 and 255 bytes.
//
// New sends nothing. It panics if client is nil, or an option cannot be used.
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
	l := &limiter{core: c}
	l.apart.Store(!single)
	return stores.Set{Sessions: &sessions{c}, Tokens: &tokens{c}, Limiter: l}
}

// core is what the stores of one client share.
type core struct {
	client redis.UniversalClient
	prefix string
}
