"""The endpoints of the Pluto dialect: decode, translate, call a service, render. No rules and no shapes."""
