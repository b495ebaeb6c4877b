// Package redisstore keeps sessions, tokens and throttle windows on Redis or
// Valkey: on one server, behind Sentinel, or in a cluster.
//
//	client := redis.NewClient(&redis.Options{
//		Addr:                  "redis:6379",
//		ContextTimeoutEnabled: true,            // obey the deadline of a request
//		DialTimeout:           time.Second,     // also of one without a deadline
//		ReadTimeout:           time.Second,
//		WriteTimeout:          time.Second,
//		PoolSize:              100,             // as many requests at once
//	})
//	set := redisstore.New(client) // sessions, tokens, limiter
//
// It needs version 6.2 and the commands EVAL and EVALSHA. A load of a session,
// an update, and a Reserve on one server are one round trip each.
//
// # What the client has to do
//
// Without ContextTimeoutEnabled go-redis looks at a deadline between two tries
// only, and a server that hangs keeps a request for some ReadTimeouts. Also
// with it, a context that is cancelled, rather than timed out, is noticed when
// the command under way is answered or times out. A call whose context has
// already ended is never sent.
//
// go-redis sends a command again if the answer got lost (Options.MaxRetries).
// Each call carries a nonce, which is stored with what the call did; so one
// that is sent again is answered as the first time, and "consumed once",
// "created" and "renamed" stay true. Slots of the limiter have no room for
// that, so there a lost answer is an error.
//
// The client must not read from replicas, so of redis.ClusterOptions leave
// ReadOnly, RouteByLatency and RouteRandomly alone.
//
// # What the server has to do
//
// Set maxmemory-policy to noeviction: a server that evicts keys forgets
// revocations and failed logins, and the owner of a session. Set appendonly to
// yes: one without it comes back from a restart as it was minutes ago, with
// revoked tokens alive. Set appendfsync to always. What that and the others keep
// of what was acknowledged:
//
//	always    all, whether the process is killed or the power fails
//	everysec  all but up to two seconds if the power fails, and also if the process
//	          is killed while a flush is slow: Redis then answers before it writes
//	no        all if the process is killed, all but what the kernel holds back,
//	          half a minute, if the power fails
//
// Leave no-appendfsync-on-rewrite at no: with yes, always is as no for as long as
// a rewrite of the file runs. With always a write waits for the disk; writes at
// the same time share a flush. A replica is always a little behind, so a failover loses what the old master
// acknowledged last: set min-replicas-to-write to bound that, and keep what must
// not come back, such as a user's security stamp, in a database. Check, of each
// store, tells what it can find out of all that.
//
// # Keys
//
// Each key expires with its record, five minutes late, so that clocks which
// differ by less lose nothing. Nothing has to be pruned.
//
//	ginauth:s:{row}     a session, a hash: keys as ":name", the rest without ":"
//	ginauth:t:{family}  a family of tokens with its root, a hash
//	ginauth:e:{family}  the members of the family by their ends, a sorted set
//	ginauth:so:…        the sessions of an owner by their ends, a sorted set
//	ginauth:to:…        the families of an owner by their ends, a sorted set
//	ginauth:w:…         a window of the limiter, a string
//
// A delta of a session is merged by the server, key by key. Rotation and
// revocation of tokens are one script each on one hash, whose root they look at
// first.
//
// The indexes by owner are elsewhere in a cluster than what they list. A member
// is listed before it is stored, so a process that stops in between leaves an
// entry that leads nowhere; entries are checked against the record and leave
// with their time. A session that becomes the owner's while DeleteSessionsOf
// runs may stay: what a user ended everywhere has to be refused by his security
// stamp as well. RevokeOwner misses no family; see there.
//
// # Clusters
//
// No script spans two slots. So the limiter takes several windows one after the
// other and puts back what it took if one is full: it never admits too many,
// but for a moment it may refuse one too many. On one server several windows are
// one atomic step.
package redisstore
