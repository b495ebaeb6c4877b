package main

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// useRedis stores sessions and limits in Redis. They change often, and if they
// are lost, users only have to log in again. Tokens stay in the database.
func useRedis(set stores.Set, url string) (stores.Set, func() error, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return set, nil, fmt.Errorf("-redis: not a Redis URL") // the error would quote the password
	}
	options.ContextTimeoutEnabled = true // otherwise the client ignores deadlines
	client := redis.NewClient(options)
	fast := redisstore.New(client)
	set.Sessions, set.Limiter = fast.Sessions, fast.Limiter
	return set, client.Close, nil
}
