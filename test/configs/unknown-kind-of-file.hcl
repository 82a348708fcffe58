# error: 1:1 no kind of file has locals at its top
locals {
  x = 1
}
