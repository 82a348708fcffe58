# error: 3:11 there is no kind "concurrent"; did you mean concurrency?
limit "changes" {
  kind  = "concurrent"
  value = 5
}
