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

// maxSkew is the largest difference of a server's clock that Check does not report.
const maxSkew = time.Minute

// Check implements stores.Checker for each store. It checks the options of the client, and
// looks on each server for settings with which acknowledged changes can be lost.
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

// eachServer calls f for each server that stores records, perhaps in parallel.
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
			warnings = append(warnings, "The client reads from replicas, which may not have a logout or a revocation yet:"+
				" do not set ReadOnly, RouteByLatency or RouteRandomly.")
		}
	case *redis.Ring:
		obeys = client.Options().ContextTimeoutEnabled
		warnings = append(warnings, "A Ring uses other servers when one is down, and these have none of its sessions,"+
			" revocations and failed logins: use a cluster or Sentinel.")
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
		warnings = append(warnings, fmt.Sprintf("The clock of Redis differs from ours by %v, so records may be deleted that much too early.", skew))
	}
	info, err := server.Info(ctx).Result()
	if err != nil && !isReply(err) {
		return nil, err
	}
	settings := parseInfo(info)
	switch policy := settings["maxmemory_policy"]; policy {
	case "noeviction":
	case "":
		warnings = append(warnings, "INFO does not say whether Redis evicts keys when its memory is full.")
	default:
		warnings = append(warnings, fmt.Sprintf("Redis has the maxmemory-policy %s, so when its memory is full"+
			" it deletes sessions, revocations and failed logins: set it to noeviction.", policy))
	}
	switch settings["aof_enabled"] {
	case "1":
		lazy, err := checkSync(ctx, server)
		return append(warnings, lazy...), err
	case "":
		return append(warnings, "INFO does not say whether Redis keeps acknowledged changes when it restarts."), nil
	}
	return append(warnings, "Redis has no append-only file, so a restart loses the sessions, revocations and failed logins"+
		" of the last minutes, or all of them: set appendonly to yes."), nil
}

// checkSync checks how often Redis writes the append-only file to the disk.
func checkSync(ctx context.Context, server redis.Cmdable) ([]string, error) {
	config, err := server.ConfigGet(ctx, "*appendfsync*").Result() // of two settings
	switch sync := config["appendfsync"]; {
	case err != nil && !isReply(err):
		return nil, err
	case sync == "":
		return []string{"Redis refuses CONFIG GET, so it is unknown how often it writes to its disk."}, nil
	case sync == "no":
		return []string{"Redis has appendfsync no, so a power failure can lose the revocations of half a minute: set it to always."}, nil
	case sync == "everysec":
		return []string{"Redis has appendfsync everysec, so a power failure can lose the revocations and failed logins of two seconds," +
			" and so can a crash of Redis while its disk is busy: set it to always."}, nil
	case config["no-appendfsync-on-rewrite"] == "yes":
		return []string{"Redis has no-appendfsync-on-rewrite yes, so while it rewrites its append-only file" +
			" a power failure can lose the revocations of half a minute: set it to no."}, nil
	}
	return nil, nil
}

// isReply reports whether an error was returned by a server.
func isReply(err error) bool { return redis.HasErrorPrefix(err, "") }

// parseInfo returns the fields in the reply to INFO.
func parseInfo(info string) map[string]string {
	settings := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			settings[name] = value
		}
	}
	return settings
}
