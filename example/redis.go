package main

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// useRedis puts sessions and limits, which change often and may be lost with
// nothing worse than a new login, into Redis. Tokens stay in the database.
func useRedis(set stores.Set, url string) (stores.Set, func() error, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return set, nil, fmt.Errorf("-redis: not a Redis URL") // the error would quote the password
	}
	options.ContextTimeoutEnabled = true // or deadlines are ignored
	client := redis.NewClient(options)
	fast := redisstore.New(client)
	set.Sessions, set.Limiter = fast.Sessions, fast.Limiter
	return set, client.Close, nil
}
