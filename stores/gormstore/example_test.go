package gormstore_test

import (
	"context"
	"fmt"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// openMemory opens a database in memory for the examples.
func openMemory() *gorm.DB {
	db, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{})
	if err != nil {
		panic(err)
	}
	pool, err := db.DB()
	if err != nil {
		panic(err)
	}
	pool.SetMaxOpenConns(1) // because each connection opens another database
	return db
}

func ExampleNew() {
	ctx, db := context.Background(), openMemory()
	if err := gormstore.Migrate(ctx, db); err != nil {
		panic(err)
	}
	set := gormstore.New(db)

	window := stores.Window{Key: stores.DigestOf([]byte("ann@example.com")), Limit: 2, Period: time.Minute}
	now := time.Now()
	for range 3 {
		grant, err := set.Limiter.Reserve(ctx, now, window)
		fmt.Println(grant.OK(), grant.RetryAfter, err)
	}
	// Output:
	// true 0s <nil>
	// true 0s <nil>
	// false 1m0s <nil>
}

func ExampleUsers() {
	ctx, db := context.Background(), openMemory()
	if err := db.AutoMigrate(&models.User{}); err != nil {
		panic(err)
	}
	users := gormstore.Users[models.User](db)

	err := users.CreateUser(ctx, &models.User{Name: "Ann", Email: "Ann@Example.com"})
	fmt.Println(err)
	err = users.CreateUser(ctx, &models.User{Name: "Another", Email: "ann@example.COM"})
	fmt.Println(err)

	email, err := users.CanonicalIdentifier("email", " ANN@example.com")
	fmt.Println(email, err)
	user, err := users.UserByIdentifier(ctx, "email", email)
	fmt.Println(user.(*models.User).Name, err)
	user, err = users.UserByID(ctx, "1 OR 1=1")
	fmt.Println(user, err)
	// Output:
	// <nil>
	// gormstore: create user: email: ginauth: identifier is taken
	// ann@example.com <nil>
	// Ann <nil>
	// <nil> <nil>
}

func ExampleUsers_options() {
	// Member has other names for the fields of its hash and its login.
	type Member = account
	ctx, db := context.Background(), openMemory()
	if err := db.AutoMigrate(&Member{}); err != nil {
		panic(err)
	}
	users := gormstore.Users[Member](db,
		gormstore.WithIdentifier("login", "Login"),
		gormstore.WithPasswordField("Hash"))

	err := users.CreateUser(ctx, &Member{Handle: "m-1", Login: "Ann"})
	fmt.Println(err)
	user, err := users.UserByIdentifier(ctx, "login", "ann")
	fmt.Println(user.AuthID(), err)
	_, err = users.UserByIdentifier(ctx, "email", "ann")
	fmt.Println(err)
	// Output:
	// <nil>
	// m-1 <nil>
	// gormstore: ginauth: unknown credential field: "email"
}

func ExampleFind() {
	type Post struct {
		ID    uint
		Title string
	}
	ctx, db := context.Background(), openMemory()
	if err := db.AutoMigrate(&Post{}); err != nil {
		panic(err)
	}
	db.Create(&Post{Title: "Hello"})

	find := gormstore.Find[Post](db)
	post, found, err := find(ctx, "1")
	fmt.Println(post.Title, found, err)
	_, found, err = find(ctx, "1 OR 1=1")
	fmt.Println(found, err)
	// Output:
	// Hello true <nil>
	// false <nil>
}
