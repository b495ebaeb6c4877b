package filestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

func ExampleNew() {
	temp, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(temp)

	sessions, err := filestore.New(filepath.Join(temp, "sessions"))
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()

	ctx, now := context.Background(), time.Now()
	err = sessions.Create(ctx, stores.Session{
		Row:     "0123456789abcdef0123456789abcdef",
		Digest:  stores.DigestOf([]byte("a secret of 256 random bits")),
		Values:  stores.NewValues(map[string][]byte{"color": []byte("red")}),
		Created: now, LastSeen: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}
	session, found, err := sessions.Load(ctx, "0123456789abcdef0123456789abcdef")
	if err != nil {
		log.Fatal(err)
	}
	color, _ := session.Values.Get("color")
	fmt.Println(found, color)
	// Output: true red
}
