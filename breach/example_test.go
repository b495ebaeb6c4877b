package breach_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ginauth/ginauth/breach"
)

func ExampleClient_Breached() {
	// A local mirror that knows one password.
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "1E4C9B93F3F0682250B6CF8331B7EE68FD8:10434004")
	}))
	defer mirror.Close()

	client, err := breach.New(breach.Config{BaseURL: mirror.URL})
	if err != nil {
		panic(err)
	}
	for _, password := range []string{"password", "the cat sat on my keyboard"} {
		known, err := client.Breached(context.Background(), password)
		fmt.Println(known, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}
