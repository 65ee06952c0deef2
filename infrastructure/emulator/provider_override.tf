# Copied beside an environment's main.tf for a run against the emulator: both regions are on this machine.

terraform {
  backend "local" {}
}

provider "aws" {
  access_key                  = "emulated"
  secret_key                  = "emulated"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
  max_retries                 = 3
}

provider "aws" {
  alias                       = "other_region"
  access_key                  = "emulated"
  secret_key                  = "emulated"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
  max_retries                 = 3
}
