// Package redisstore keeps sessions, tokens and throttle windows on Redis or
// Valkey: on one server, behind Sentinel, or in a cluster.
//
//	client := redis.NewClient(&redis.Options{
//		Addr:                  "redis:6379",
//		ContextTimeoutEnabled: true,            // obey the deadline of a request
//		DialTimeout:           time.Second,     // for calls without a deadline as well
//		ReadTimeout:           time.Second,
//		WriteTimeout:          time.Second,
//		PoolSize:              100,             // the number of parallel requests
//	})
//	set := redisstore.New(client) // sessions, tokens, limiter
//
// It needs version 6.2 and the commands EVAL and EVALSHA. Loading a session, updating a
// session, and a Reserve on one server take one round trip each.
//
// # Settings of the client
//
// Without ContextTimeoutEnabled go-redis checks a deadline only between two tries, and a
// server that hangs holds a request for several times ReadTimeout. Even with it, go-redis
// notices that a context was cancelled, rather than timed out, only when the running
// command is answered or times out. A call whose context has already ended is not sent.
//
// go-redis sends a command again if its answer was lost (Options.MaxRetries). Each call has
// a nonce, which is stored with its effect. A call that is sent again gets the same answer
// as the first time, so "consumed once", "created" and "renamed" stay true. Slots of the
// limiter have no room for a nonce. There a lost answer is an error.
//
// The client must not read from replicas: do not set ReadOnly, RouteByLatency or
// RouteRandomly in redis.ClusterOptions.
//
// # Settings of the server
//
// Set maxmemory-policy to noeviction. A server that evicts keys loses revocations, failed
// logins and the indexes by owner. Set appendonly to yes. Without it a server that restarts
// has the data of some minutes ago, in which revoked tokens are valid. Set appendfsync to
// always. This is what the settings keep of acknowledged changes:
//
//	always    all, whether the process is killed or the power fails
//	everysec  all but up to two seconds if the power fails, and also if the process
//	          is killed while a flush is slow: Redis then answers before it writes
//	no        all if the process is killed; if the power fails, all but what the
//	          kernel has not written yet, which is about half a minute
//
// Leave no-appendfsync-on-rewrite at no. With yes, always has the effect of no while the
// file is rewritten. With always every write waits for the disk; simultaneous writes share
// a flush. A replica is always a little behind, so a failover loses what the old master
// acknowledged last. Set min-replicas-to-write to limit that, and keep what must not be
// lost, such as the security stamp of a user, in a database. Check, of each store, reports
// the settings that it can read.
//
// # Keys
//
// Each key expires with its record, five minutes late, so that clocks may differ by less
// than that. Nothing has to be pruned.
//
//	ginauth:s2:{row}    a session, a hash: keys as ":name", other fields without ":"
//	ginauth:sd:{row}    that a session was deleted less than ten minutes ago, a string
//	ginauth:t:{family}  a family of tokens with its root, a hash
//	ginauth:e:{family}  the members of the family by their expiry, a sorted set
//	ginauth:so:…        the sessions of an owner by their expiry, a sorted set
//	ginauth:to:…        the families of an owner by their expiry, a sorted set
//	ginauth:w:…         a window of the limiter, a string
//
// The server merges a delta of a session key by key. Rotation and revocation of tokens are
// one script each, on one hash. The script checks the root first.
//
// In a cluster the indexes by owner are not in the slots of the records that they list. A
// member is listed before its record is stored, so a process that stops in between leaves
// an entry without a record. Entries are checked against the record, and are removed when
// they expire. A session that gets an owner while DeleteSessionsOf runs may stay, so a
// user's security stamp has to refuse it as well. RevokeOwner misses no family; see there.
//
// # Clusters
//
// No script uses keys of two slots. So in a cluster the limiter reserves slots in several
// windows one after the other, and refunds them if one window is full. It never admits too
// many, but for a moment it may refuse one too many. On one server several windows are one
// atomic step.
package redisstore
