package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxSkew is how much a server's clock may differ before Check says so.
const maxSkew = time.Minute

// Check implements stores.Checker for each store. It looks at the client's
// options, and at each server for settings under which what was acknowledged
// can be lost.
func (c *core) Check(ctx context.Context) ([]string, error) {
	const what = "check"
	if ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	warnings := checkClient(c.client)
	var mu sync.Mutex
	err := eachServer(ctx, c.client, func(ctx context.Context, server redis.Cmdable) error {
		found, err := checkServer(ctx, server)
		mu.Lock()
		defer mu.Unlock()
		warnings = append(warnings, found...)
		return err
	})
	slices.Sort(warnings)
	return slices.Compact(warnings), fault(ctx, what, err)
}

// eachServer calls f for each server that keeps records, perhaps at once.
func eachServer(ctx context.Context, client redis.UniversalClient, f func(context.Context, redis.Cmdable) error) error {
	each := func(ctx context.Context, server *redis.Client) error { return f(ctx, server) }
	switch client := client.(type) {
	case *redis.ClusterClient:
		return client.ForEachMaster(ctx, each)
	case *redis.Ring:
		return client.ForEachShard(ctx, each)
	}
	return f(ctx, client)
}

// checkClient looks at the options of a client.
func checkClient(client redis.UniversalClient) (warnings []string) {
	obeys := true
	switch client := client.(type) {
	case *redis.Client:
		obeys = client.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		o := client.Options()
		obeys = o.ContextTimeoutEnabled
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			warnings = append(warnings, "The client reads from replicas, which may not know yet of a logout or a revocation:"+
				" do not set ReadOnly, RouteByLatency or RouteRandomly.")
		}
	case *redis.Ring:
		obeys = client.Options().ContextTimeoutEnabled
		warnings = append(warnings, "A Ring asks other servers when one is down, and those know of no session,"+
			" no revocation and no failed login of before: use a cluster or Sentinel.")
	}
	if !obeys {
		warnings = append(warnings, "The client does not obey the deadline of a request: set ContextTimeoutEnabled.")
	}
	return warnings
}

// checkServer looks at the settings of a server.
func checkServer(ctx context.Context, server redis.Cmdable) (warnings []string, err error) {
	now, err := server.Time(ctx).Result()
	if err != nil {
		return nil, err
	}
	if skew := time.Until(now).Round(time.Second); skew.Abs() > maxSkew {
		warnings = append(warnings, fmt.Sprintf("The clock of Redis differs from ours by %v, so records may be kept that much too short.", skew))
	}
	info, err := server.Info(ctx).Result()
	if err != nil && !isReply(err) {
		return nil, err
	}
	settings := parseInfo(info)
	switch policy := settings["maxmemory_policy"]; policy {
	case "noeviction":
	case "":
		warnings = append(warnings, "It could not be found out whether Redis evicts keys when its memory is full, because INFO does not say.")
	default:
		warnings = append(warnings, fmt.Sprintf("Redis has the maxmemory-policy %s, so when its memory is full"+
			" it forgets sessions, revocations and failed logins: set it to noeviction.", policy))
	}
	switch settings["aof_enabled"] {
	case "1":
		lazy, err := checkSync(ctx, server)
		return append(warnings, lazy...), err
	case "":
		return append(warnings, "It could not be found out whether Redis keeps what it acknowledged when it restarts, because INFO does not say."), nil
	}
	return append(warnings, "Redis has no append-only file, so a restart brings back what was revoked, and forgets sessions"+
		" and failed logins, of minutes or all: set appendonly to yes."), nil
}

// checkSync looks at how often the append-only file is written to the disk.
func checkSync(ctx context.Context, server redis.Cmdable) ([]string, error) {
	config, err := server.ConfigGet(ctx, "*appendfsync*").Result() // of two settings
	switch sync := config["appendfsync"]; {
	case err != nil && !isReply(err):
		return nil, err
	case sync == "":
		return []string{"It could not be found out how often Redis writes to its disk, because CONFIG GET is refused."}, nil
	case sync == "no":
		return []string{"Redis has appendfsync no, so half a minute of revocations can be lost with the power: set it to always."}, nil
	case sync == "everysec":
		return []string{"Redis has appendfsync everysec, so the revocations and failed logins of two seconds can be lost with the power," +
			" or if Redis crashes while its disk is busy: set it to always."}, nil
	case config["no-appendfsync-on-rewrite"] == "yes":
		return []string{"Redis has no-appendfsync-on-rewrite yes, so while it rewrites its append-only file" +
			" half a minute of revocations can be lost with the power: set it to no."}, nil
	}
	return nil, nil
}

// isReply reports whether an error is what a server answered.
func isReply(err error) bool { return redis.HasErrorPrefix(err, "") }

// parseInfo returns the settings in the answer to INFO.
func parseInfo(info string) map[string]string {
	settings := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			settings[name] = value
		}
	}
	return settings
}
