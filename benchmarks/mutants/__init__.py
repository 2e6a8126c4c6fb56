"""The mutation run: does some test fail where one thing in the library's code is changed?"""
