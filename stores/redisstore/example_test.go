package redisstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

func Example() {
	client := redis.NewClient(&redis.Options{
		Addr:                  "localhost:6379",
		ContextTimeoutEnabled: true,
		DialTimeout:           time.Second,
		ReadTimeout:           time.Second,
		WriteTimeout:          time.Second,
	})
	defer client.Close()
	set := redisstore.New(client, redisstore.WithPrefix("shop:auth:"))

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	warnings, err := set.Sessions.(stores.Checker).Check(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, warning := range warnings {
		fmt.Println(warning)
	}
}
