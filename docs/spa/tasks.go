package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// Task is a task of a user.
type Task struct {
	ID    uint64 `gorm:"primaryKey" json:"id"`
	Owner string `gorm:"size:64;not null;index" json:"-"`
	Text  string `gorm:"size:500;not null" json:"text"`
}

// listTasks responds with the tasks of the user.
func listTasks(db *gorm.DB) gin.HandlerFunc {
	return func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		tasks := []Task{}
		if err := db.WithContext(c.Request.Context()).Order("id").Find(&tasks, "owner = ?", u.AuthID()).Error; err != nil {
			ginauth.Abort(c, ginauth.Unavailable("list tasks", err))
			return
		}
		c.JSON(http.StatusOK, tasks)
	}
}

// addTask adds a task of the user.
func addTask(db *gorm.DB) gin.HandlerFunc {
	return func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		var in struct{ Text string }
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		task := Task{Owner: u.AuthID(), Text: in.Text}
		if task.Text == "" || len(task.Text) > 500 {
			ginauth.Abort(c, &ginauth.InputError{Field: "text", Reason: "must have 1 to 500 bytes"})
		} else if err := db.WithContext(c.Request.Context()).Create(&task).Error; err != nil {
			ginauth.Abort(c, ginauth.Unavailable("add a task", err))
		} else {
			c.JSON(http.StatusCreated, task)
		}
	}
}
