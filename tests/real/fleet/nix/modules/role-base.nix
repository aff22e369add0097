{
  environment.packages.base.version = "2.4";
}
