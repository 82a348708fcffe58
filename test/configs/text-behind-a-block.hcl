# error: 3:3 a new line must follow }
constraint {
} constraint {
}
